"""How is a backup shown?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from selfheal.serve.models.data import BackupView, JobView
from selfheal.serve.times import moment, rfc3339

if TYPE_CHECKING:
    from selfheal.data.backup import Backup
    from selfheal.serve.ports import DataJob


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
