"""The sentences of a statement of reasons: what an author reads of codes, causes and numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from service import schemas
from service.flow.restriction import Code
from service.store.reports import NOTICE
from service.store.types import Row

_SCOPE: Final = "That holds wherever this discussion is shown."
_RESTRICTIONS: Final[Mapping[str, str]] = {
    "held": "Your comment is not shown until a moderator has looked at it.",
    "rejected": "Your comment was not accepted and is not shown.",
    "removed": "Your comment was taken down and is not shown any more.",
    "edit_held": "Your edit is not shown until a moderator has looked at it; the text before it stays.",
    "edit_rejected": "Your edit was not accepted; the text before it stays.",
}
LASTING: Final[Mapping[bool, str]] = {
    True: "This lasts until it is overturned or withdrawn.",
    False: "This lasts until a moderator has decided.",
}
_ATTRIBUTES: Final[Mapping[str, str]] = {
    "toxicity": "rude or disrespectful",
    "severe_toxicity": "very hateful or aggressive",
    "obscene": "obscene",
    "insult": "an insult",
    "identity_attack": "an attack on people for who they are",
    "threat": "a threat",
    "sexual_explicit": "sexually explicit",
}
_SIGNALS: Final[Mapping[str, str]] = {
    "links": "It carries {value} links.",
    "shouting": "It is written mostly in capital letters.",
    "repeats": "It repeats letters or words.",
    "words": "It uses words that this site looks at first.",
    "evasions": "Words in it are disguised.",
    "characters": "Its length is one that this site looks at.",
    "duplicates": "The same text was sent before.",
    "near_duplicates": "Nearly the same text was sent before.",
    "stay_down": "It is the same as, or nearly, a text that was taken down before.",
    "burst": "Many comments came from the same network at once.",
    "honeypot": "It was sent as programs send, not people.",
    "seconds_to_write": "It was sent faster than a person writes.",
    "spam_service": "A service that knows spam took it for spam.",
    "guest": "It was written without an account.",
    "verified": "The account is not verified.",
    "trusted": "The author is not known well here yet.",
    "account_days": "The author is new here.",
    "approved": "The author has few comments here yet.",
    "rejected_share": "Many of the author's comments were not accepted.",
}
_CIRCUMSTANCES: Final[Mapping[str, str]] = {
    "mode": "On this site a moderator looks at every comment.",
    "model": "The automatic check could not judge the text.",
    "language": "The automatic check does not know the language of the text.",
    "scorer": "The automatic check could not read the text.",
    "emergency": "For now a moderator looks at every comment on this site.",
    "sanction": "For now a moderator looks at every comment of this author.",
    "network": "For now a moderator looks at what guests send from this network.",
    "reports": "Readers reported the text.",
}


def restriction_of(code: Code) -> schemas.Restriction:
    """Answer what was done, and where it holds."""
    return schemas.Restriction(code, _RESTRICTIONS[code], _SCOPE)


def ground_of(decision: Row) -> schemas.StatementGround:
    """Answer on what the decision stands: a law that a person named, else the site's guidelines."""
    clause = decision.ground_clause
    if decision.ground == "law":
        named = f": {clause}" if clause else ""
        text = f"We take it to be illegal content{named}. The reasons above say why."
        return schemas.StatementGround("law", clause, text)
    named = f" ({clause})" if clause else ""
    return schemas.StatementGround("guideline", clause, f"The ground is the guidelines of this site{named}.")


def facts_of(causes: Sequence[Mapping[str, Any]], reported: Collection[str]) -> list[schemas.Fact]:
    """Answer what was relied on: the causes without the words they quote, and that readers reported it, not who."""
    # What would only have held a text is nothing beside what refused it.
    refusing = [cause for cause in causes if cause.get("outcome") == "reject"]
    facts = [_fact(cause) for cause in refusing or causes]
    if NOTICE in reported:
        facts.append(schemas.Fact("notice", "A notice said that the text is illegal content."))
    if set(reported) - {NOTICE}:
        facts.append(schemas.Fact("reports", _CIRCUMSTANCES["reports"]))
    told = dict.fromkeys((fact.code, fact.text) for fact in facts)
    return [schemas.Fact(code, text) for code, text in told] or [
        schemas.Fact("text", "The decision was made on the text itself, and on what it answers.")
    ]


def _fact(cause: Mapping[str, Any]) -> schemas.Fact:
    kind, name, value = str(cause.get("kind")), cause.get("name"), cause.get("value")
    if kind == "attribute":
        what = _ATTRIBUTES.get(str(name), str(name).replace("_", " "))
        if value is None:
            return schemas.Fact(f"attribute.{name}", f"An automatic check could not say whether it is {what}.")
        threshold = cause.get("threshold")
        from_ = f"; this site acts from {threshold:.2f}" if threshold is not None else ""
        return schemas.Fact(
            f"attribute.{name}", f"An automatic check rated it {value:.2f} of 1 for being {what}{from_}."
        )
    if kind == "signal":
        number = f"{value:g}" if value is not None else "several"
        sentence = _SIGNALS.get(str(name), f"It met a rule of this site about {str(name).replace('_', ' ')}.")
        return schemas.Fact(f"signal.{name}", sentence.format(value=number))
    return schemas.Fact(kind, _CIRCUMSTANCES.get(kind, "A rule of this site asked for it."))


def decided_by(decision: Row) -> str:
    """Answer whether machines found the text or decided about it; of a person only that it was one."""
    if decision.actor_kind == "moderator":
        found = "An automatic check pointed it out" if decision.automated_detection else "No automatic check was used"
        return f"A person decided this. {found}."
    if decision.actor_kind == "system":
        return "It was done automatically, because several readers reported the text; a person decides next."
    return "An automatic check found this, and it was decided automatically, by the rules of this site."


def may_appeal(until: datetime) -> str:
    """Answer how to appeal."""
    return f"If you think that this is wrong, you can appeal until {day_of(until)}, free of charge; a person answers."


def no_appeal(refused: str, known: schemas.AppealView | None) -> str:
    """Answer why there is nothing to appeal, or how the appeal stands."""
    if known is not None and known.outcome is None:
        return "You appealed; somebody looks at it again."
    if known is not None and known.outcome == "upheld":
        answer = f" The answer: {known.answer}" if known.answer else ""
        return f"You appealed, and the decision was upheld.{answer}"
    if known is not None:
        return "Your appeal is closed."
    if refused == "appeal.too_late":
        return "The time to appeal is over."
    return "You need not appeal: a moderator looks at it anyway." if refused else "There is no appeal here."


def day_of(moment: datetime) -> str:
    """Answer a day as people read it."""
    return f"{moment.day} {moment:%B %Y}"
