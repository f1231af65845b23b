"""How is shown what there is to fall back on?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from selfheal.serve.models.data import BackupView, JobView
from selfheal.serve.models.fleet import DataView
from selfheal.serve.times import moment, rfc3339

if TYPE_CHECKING:
    from selfheal.data.backup import Backup
    from selfheal.serve.ports import DataJob
    from selfheal.world import Holdings


def backup_view(backup: Backup) -> BackupView:
    """Show one backup."""
    return BackupView(
        id=backup.id,
        agent=backup.agent,
        kind=backup.kind,
        at=rfc3339(backup.at),
        taken_at=rfc3339(backup.proof.as_of),
        size=backup.size,
        stored=backup.stored,
        counts=backup.counts,
        verified_at=None if backup.verified_at is None else moment(backup.verified_at),
        damaged=backup.damaged,
        holds=dict(backup.proof.counts),
    )


def job_view(job: DataJob) -> JobView:
    """Show work that is under way."""
    return JobView(agent=job.agent, job=job.name, doing=job.doing, share=job.share, since=rfc3339(job.since))


def data_view(holdings: Holdings) -> DataView:
    """Show the newest backup of an agent, and its latest recovery."""
    backup, restored = holdings.backup, holdings.restored
    return DataView(
        backup=backup.backup if backup is not None else "",
        backup_at=moment(backup.at if backup is not None else None),
        taken_at=moment(backup.taken_at if backup is not None else None),
        proved_at=moment(holdings.verified_at),
        failure=holdings.failure,
        restored_at=moment(restored.at if restored is not None else None),
        restored_from=restored.source if restored is not None else "",
        lost_seconds=restored.lost_s if restored is not None else None,
        lost=dict(restored.lost) if restored is not None else {},
        aside=restored.aside if restored is not None else "",
    )
