"""Generated documents for the demo's three collections: the same ones for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bson import ObjectId

from sandbox.demo import stories

if TYPE_CHECKING:
    from random import Random

Document = dict[str, Any]
_EPOCH = datetime(2026, 11, 1, 8, tzinfo=UTC)
_MISFIT_SHARE = 0.18  # Documents that no agent's filter matches.


@dataclass(frozen=True)
class Namespace:
    """A database and a collection."""

    database: str
    collection: str

    def __str__(self) -> str:
        return f"{self.database}.{self.collection}"


TICKETS = Namespace("helpdesk", "tickets")
REVIEWS = Namespace("shop", "reviews")
ARTICLES = Namespace("newsroom", "articles")
TEXT_FIELD = {TICKETS: "body", REVIEWS: "text", ARTICLES: "body"}
_SHARES = {TICKETS: 0.4, REVIEWS: 0.35, ARTICLES: 0.25}


def make_documents(count: int, rng: Random) -> list[tuple[Namespace, Document]]:
    """`count` documents over the three collections, in a mixed order.

    Every text holds a number of its own, so that each prompt belongs to one state of one document.
    """
    makers = {TICKETS: _ticket, REVIEWS: _review, ARTICLES: _article}
    namespaces = [namespace for namespace, share in _SHARES.items() for _ in range(round(share * count))][
        :count
    ]
    namespaces += [TICKETS] * (count - len(namespaces))
    rng.shuffle(namespaces)
    return [(namespace, makers[namespace](number, rng)) for number, namespace in enumerate(namespaces, 1)]


def ticket_text(number: int, rng: Random) -> tuple[str, str]:
    """Subject and body of a support ticket."""
    subject, complaint = rng.choice(stories.COMPLAINTS)
    told = complaint.format(day=rng.choice(stories.DAYS), city=rng.choice(stories.CITIES))
    product = rng.choice(stories.PRODUCTS)
    body = f"Hello, the {product} from order {10_000 + number} {told}. {rng.choice(stories.CLOSINGS)}"
    return subject, f"{body} Regards, {rng.choice(stories.FIRST_NAMES)}"


def review_text(number: int, rng: Random) -> str:
    """The text of a product review."""
    return (
        f"{rng.choice(stories.PRAISE)}, but {rng.choice(stories.BLAME)}. "
        f"{rng.choice(stories.REVIEW_ENDS)} (Review {20_000 + number}, {rng.choice(stories.CITIES)})"
    )


def article_text(number: int, rng: Random, *, sentences: int = 7) -> tuple[str, str]:
    """Headline and body of a news article; seven sentences are above the filter's 400 characters."""
    name, who, what, but = rng.choice(stories.TOPICS)
    told = [
        sentence.format(
            cost=rng.randint(3, 90), name=rng.choice(stories.FIRST_NAMES), city=rng.choice(stories.CITIES)
        )
        for sentence in rng.sample(stories.SENTENCES, sentences)
    ]
    lead = f"{rng.choice(stories.CITIES)}, report {30_000 + number}: The {who} has agreed to {what}; {but}."
    return f"The {name} gets its way", " ".join([lead, *told])


def _ticket(number: int, rng: Random) -> Document:
    subject, body = ticket_text(number, rng)
    misfit = rng.random() < _MISFIT_SHARE
    return {
        "_id": ObjectId(rng.randbytes(12)),
        "status": "closed" if misfit else "open",
        "subject": subject,
        "body": body,
        "customer": {"name": rng.choice(stories.FIRST_NAMES), "since": rng.randint(2012, 2026)},
        "created_at": _EPOCH + timedelta(minutes=7 * number),
        "views": 0,
    }


def _review(number: int, rng: Random) -> Document:
    return {
        "_id": f"review-{number:04d}",
        "published": rng.random() >= _MISFIT_SHARE,
        "stars": rng.randint(1, 5),
        "product": {"name": rng.choice(stories.PRODUCTS), "sku": f"SKU-{rng.randint(100, 999)}"},
        "text": review_text(number, rng),
        "created_at": _EPOCH + timedelta(minutes=5 * number),
        "views": 0,
    }


def _article(number: int, rng: Random) -> Document:
    misfit = rng.random() < _MISFIT_SHARE
    headline, body = article_text(number, rng, sentences=1 if misfit else 7)
    return {
        "_id": number,
        "status": rng.choice(("ready", "published")),
        "headline": headline,
        "body": body,
        "edition": 1,
        "views": 0,
    }
