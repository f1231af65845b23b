"""Is a person on Telegram told what he has to know, and is done what he decides, once, and by nobody else?

The daemon and its client are the real ones, Telegram is a strict one on loopback.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.real.daemon_process import House, free_port, house, until
from tests.real.telegram_fake import CHAT, TOKEN, Refused, Sent, Telegram, telegram

FLEET = """
[guard]
verify = "0.3s"
[notify]
group = 0

[agents.site]
kind = "service"
fixes = ["mend"]
checks = [{ command = ["test", "-e", "well"], interval = 0.1, fall = 1, rise = 1 }]
[fixes.mend]
command = ["touch", "well"]
approval = true
"""
LOST = FLEET.replace('fixes = ["mend"]\n', "").split("[fixes.mend]", maxsplit=1)[0]


@contextmanager
def fleet(chat: Telegram, toml: str = FLEET, **environment: str) -> Iterator[House]:
    with house(TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_CHAT_ID=str(CHAT), TELEGRAM_API_URL=chat.url, **environment) as place:
        place.boot(toml)
        yield place


def asked(chat: Telegram) -> Sent:
    """The message that asks whether a fix may be applied."""
    return until(lambda: next((one for one in chat.messages.values() if "Approve" in one.buttons), None))  # type: ignore[return-value]


def answered(chat: Telegram, press: str) -> str:
    return until(lambda: chat.answer_to(press))  # type: ignore[return-value]


def said(chat: Telegram, words: str) -> Sent:
    """A message in which these words stand."""
    return until(  # type: ignore[return-value]
        lambda: next((one for one in chat.messages.values() if words in one.text), None),
        what=lambda: [one.text for one in chat.messages.values()],
    )


def well(place: House) -> bool:
    return [one.text("state") for one in place.incidents("site")] == ["resolved"]


def test_a_button_decides_and_the_message_goes_on_to_the_end() -> None:
    with telegram() as chat, fleet(chat) as place:
        question = asked(chat)
        assert "may mend be applied to site?" in question.text
        press = chat.press(question.number, question.buttons["Approve"])
        assert answered(chat, press) == "approve: mend"
        until(lambda: well(place))
        until(lambda: "site is well again after" in question.text)
        assert any("mend of site was approved by telegram:user4711" in text for text in question.texts)
        assert [*question.buttons] == ["Right: wrong answer", "Wrong", "Was: unknown", "Other…"]
        assert [*chat.messages] == [question.number], "it is one message"
        (attempt,) = place.incidents("site")[0].parts("attempts")
        assert (attempt.text("fix"), attempt.text("outcome")) == ("mend", "succeeded")


def healed(chat: Telegram, place: House) -> Sent:
    """The message of an incident that is over, with the question whether its cause was right."""
    question = asked(chat)
    chat.press(question.number, question.buttons["Approve"])
    until(lambda: "Wrong" in question.buttons)
    return question


def test_what_the_cause_was_is_said_by_a_button_and_may_be_changed() -> None:
    with telegram() as chat, fleet(chat) as place:
        message = healed(chat, place)
        first = dict(message.buttons)
        assert answered(chat, chat.press(message.number, first["Right: wrong answer"])) == "inc-1: wrong answer"
        until(lambda: "✓ Right: wrong answer (user4711)" in message.buttons)
        label = place.incidents("site")[0].part("label")
        assert (label.flag("right"), label.text("by")) == (True, "telegram:user4711")
        assert place.get("scorecard").part("rca_accuracy").raw["value"] == 1.0
        answered(chat, chat.press(message.number, first["Wrong"]))
        until(lambda: "✓ Wrong (user4711)" in message.buttons)
        assert place.get("scorecard").part("rca_accuracy").raw["value"] == 0.0
        chat.press(message.number, first["Other…"])
        until(lambda: "disk full" in message.buttons)
        assert "✓ Wrong (user4711)" not in message.buttons
        answered(chat, chat.press(message.number, message.buttons["disk full"]))
        until(lambda: "✓ Was: disk full (user4711)" in message.buttons)
        place.daemon.kill()
        place.start()
        until(lambda: place.ready)
        assert place.incidents("site")[0].part("label").text("cause") == "disk_full"


def test_a_verdict_counts_only_from_who_may_decide_and_by_a_button_of_ours() -> None:
    with telegram() as chat, fleet(chat) as place:
        message = healed(chat, place)
        good = message.buttons["Wrong"]
        stranger = chat.press(message.number, good, user=666)
        forged = [
            chat.press(message.number, data)
            for data in (
                f"{good[:-4]}AAAA",
                good.replace(":-:", ":hung:"),
                good.replace("inc-1", "inc-9"),
                "v:inc-1:-:",
            )
        ]
        assert answered(chat, stranger) == "You may not decide here."
        assert [answered(chat, press) for press in forged] == ["This is no question any more."] * 4
        assert place.incidents("site")[0].raw["label"] is None


def test_the_first_decision_is_final_and_pressing_again_says_whose_it_was() -> None:
    with telegram() as chat, fleet(chat) as place:
        question = asked(chat)
        buttons = dict(question.buttons)
        first, second = (chat.press(question.number, buttons["Reject"]) for _ in range(2))
        assert answered(chat, first) == "reject: mend"
        assert answered(chat, second) == "It was rejected by telegram:user4711."
        third = chat.press(question.number, buttons["Approve"])
        assert answered(chat, third) == "It was rejected by telegram:user4711."
        assert not Path(place.folder, "well").exists()


def test_nobody_else_decides_and_no_press_but_ours_counts() -> None:
    with telegram() as chat, fleet(chat) as place:
        question = asked(chat)
        good = question.buttons["Approve"]
        forged = f"{good[:-4]}AAAA"
        strangers = [
            chat.press(question.number, good, user=666),
            chat.press(question.number, good, chat=-100),
        ]
        wrong = [
            chat.press(question.number, data)
            for data in (forged, good.replace("a:", "r:", 1), good.replace("inc-1", "inc-2"), "a:inc-1:", "nonsense")
        ]
        chat.say("/approve inc-1", user=666)
        assert [answered(chat, press) for press in strangers] == ["You may not decide here."] * 2
        assert [answered(chat, press) for press in wrong] == ["This is no question any more."] * 5
        assert place.incidents("site")[0].text("state") == "waiting_approval"
        until(lambda: len(place.logged("chat.stranger")) == 3)
        assert not Path(place.folder, "well").exists()


def test_in_render_mode_it_starts_with_telegram_and_says_what_else_is_missing() -> None:
    with telegram() as chat, fleet(chat, LOST, RENDER_MODE="true") as place:
        said(chat, "site needs a person")
        (first, *_) = place.logged("render.missing")
        assert "this is not Render (RENDER is not set)" in first.text("why")


def test_users_that_are_named_may_decide_and_then_nobody_else() -> None:
    with telegram() as chat, fleet(chat, FLEET + "[notify.telegram]\nusers = [42]\n") as place:
        question = asked(chat)
        owner, named = (chat.press(question.number, question.buttons["Approve"], user=user) for user in (CHAT, 42))
        assert answered(chat, owner) == "You may not decide here."
        assert answered(chat, named) == "approve: mend"
        until(lambda: well(place))


def test_commands_are_answered_with_what_the_page_would_say() -> None:
    with telegram() as chat, fleet(chat) as place:
        asked(chat)
        chat.say("/status")
        said(chat, "1 agent: 1 unhealthy")
        chat.say("/why site")
        assert "asked a person whether to apply mend to site" in said(chat, "asked a person").text
        chat.say("/why nobody")
        said(chat, "nobody: there is no agent or incident of this name.")
        chat.say("/pause")
        said(chat, "pause: the whole fleet")
        assert place.get("summary").raw["paused"] is True
        chat.say("/resume@selfheal_bot")
        said(chat, "resume: the whole fleet")
        chat.say("/pause <b>nobody</b>")
        said(chat, "cannot find")
        chat.say("/dance")
        said(chat, "/mute MINUTES [AGENT]")
        chat.say("/approve inc-1")
        said(chat, "approve: inc-1")
        until(lambda: well(place))
        chat.say("/incidents")
        said(chat, "mend succeeded")


def test_muted_nothing_that_begins_is_told_until_that_is_over() -> None:
    with telegram() as chat, fleet(chat, FLEET.replace('"test", "-e", "well"', '"test", "!", "-e", "bad"')) as place:
        until(lambda: place.ready)
        chat.say("/mute 5")
        said(chat, "No alerts for 5 minutes.")
        Path(place.folder, "bad").touch()
        until(lambda: place.incidents("site"))
        until(lambda: place.incidents("site")[0].text("state") == "waiting_approval")
        chat.say("/status")
        said(chat, "1 unhealthy")
        assert not [one for one in chat.messages.values() if one.buttons]
        assert place.say("mute", "1h", "--agent", "site").err == "no alerts of site for 60 min\n"
        chat.say("/mute 0")
        said(chat, "Alerts are told again.")
        assert not [one for one in chat.messages.values() if one.buttons]
        nobody = place.say("mute", "1h", "--agent", "nobody")
        assert nobody.code == 1
        assert "cannot find agent 'nobody'" in nobody.err
        assert place.say("mute", "off", "--agent", "site").err == "alerts of site are told again\n"
        assert place.say("mute", "1h").err == "no alerts for 60 min\n"
        assert place.say("mute", "off").err == "alerts are told again\n"
        assert "may mend be applied" in asked(chat).text


def test_what_could_not_be_sent_is_sent_when_telegram_is_back_and_a_pause_is_heeded() -> None:
    port = free_port()
    with house(
        TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_CHAT_ID=str(CHAT), TELEGRAM_API_URL=f"http://127.0.0.1:{port}"
    ) as place:
        place.boot(LOST)
        until(lambda: place.incidents("site") and place.incidents("site")[0].text("state") == "escalated")
        until(lambda: place.logged("chat.failed"))
        with telegram(port) as chat:
            chat.refuse["sendMessage"] = [Refused(429, "Too Many Requests: retry after 1", retry_after=1)]
            message = said(chat, "site needs a person")
            assert chat.calls.count("sendMessage") == 2
            until(lambda: place.logged("chat.back"))
            Path(place.folder, "well").touch()
            until(lambda: "site is well again after" in message.text)
        assert len(place.logged("chat.failed")) == 1


def test_a_second_listener_is_told_as_such_and_alerts_go_on() -> None:
    with telegram() as chat:
        conflict = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
        chat.refuse["getUpdates"] = [Refused(409, conflict)] * 2
        with fleet(chat, LOST) as place:
            said(chat, "site needs a person")
            (told,) = until(lambda: place.logged("chat.failed"))
            assert "only one bot instance" in told.text("why")
            until(lambda: place.logged("chat.back"))


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_another_daemon_goes_on_with_the_message_of_the_last(how: str) -> None:
    with telegram() as chat, fleet(chat, LOST) as place:
        message = said(chat, "site needs a person")
        until(lambda: place.logged("alert.delivered"))
        if how == "stopped":
            place.stop()
        else:
            place.daemon.kill()
        place.start()
        until(lambda: place.ready)
        Path(place.folder, "well").touch()
        until(lambda: "site is well again after" in message.text)
        assert [*chat.messages] == [message.number]


def test_a_message_that_was_deleted_is_sent_anew_and_markup_that_is_not_taken_is_left_out() -> None:
    with telegram() as chat, fleet(chat, LOST) as place:
        message = said(chat, "site needs a person")
        chat.refuse["sendMessage"] = [Refused(400, "Bad Request: can't parse entities: unsupported start tag")]
        del chat.messages[message.number]
        Path(place.folder, "well").touch()
        assert "<b>" not in said(chat, "site is well again after").text


def test_the_token_is_in_no_log_and_no_state_whatever_telegram_answers() -> None:
    secret = TOKEN.partition(":")[2]
    with telegram() as chat:
        refusals = [Refused(401, "Unauthorized"), Refused(403, "Forbidden: bot was blocked by the user")]
        refusals += [Refused(500, "Internal Server Error"), Refused(429, "Too Many Requests", retry_after=1)]
        chat.refuse["sendMessage"], chat.refuse["getUpdates"] = [*refusals], [*refusals]
        with fleet(chat, LOST, SELFHEAL_LOG_LEVEL="debug") as place:
            until(lambda: chat.messages, 55.0)
            shown = [place.say(*words).out for words in (("status",), ("incidents",), ("why", "site"))]
            shown.append(str(place.get("summary").raw))
            place.stop()
            files = [path for path in Path(place.folder).rglob("*") if path.is_file()]
            kept = [path.name for path in files if secret.encode() in path.read_bytes()]
            assert kept == []
            assert secret not in place.log + "".join(shown)
