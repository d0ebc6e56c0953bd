"""Looks at a job again and again: of 100,000 discs it reads those that may have changed."""

from collections import Counter

from sqlalchemy.orm import Session

from jobs.overview import Document, attempts_of, job_summary, outcomes_of


class Follower:
    """Describes a job at every look as `job_document` does, from what it remembers of attempts that are over."""

    def __init__(self, job_id: str) -> None:
        self._job = job_id
        self._over: list[Document] = []  #: the attempts up to the first that is not over

    def look(self, db: Session) -> Document:
        """Describe the job and every attempt to make its discs; documents of attempts that are over stay the same.

        Raises:
            NotFound: no such job.
        """
        summary = job_summary(db, self._job)
        discs = self._read(db)
        if Counter(disc["outcome"] for disc in discs) != outcomes_of(db, self._job):
            self._over.clear()  # an operator's word on an old disc, or an attempt whose host's clock is behind
            discs = self._read(db)
        return {**summary, "discs": discs}

    def _read(self, db: Session) -> list[Document]:
        last = str(self._over[-1]["attempt"]) if self._over else ""
        rows = attempts_of(db, self._job, last)
        discs = [*self._over, *(document for _, document in rows)]
        for is_over, document in rows:
            if not is_over:
                break
            self._over.append(document)
        return discs
