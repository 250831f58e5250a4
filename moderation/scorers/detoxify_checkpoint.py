"""What a Detoxify checkpoint says of itself, checked before anything is built from it; nothing here imports torch."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec

from moderation.scores import Attribute, ScorerError

ARCHITECTURES = {
    "BertForSequenceClassification": "bert",
    "RobertaForSequenceClassification": "roberta",
    "XLMRobertaForSequenceClassification": "xlm-roberta",
    "AlbertForSequenceClassification": "albert",
}
"""The model classes that a checkpoint may name; any other name is refused, never looked up."""
_RENAMED = {"toxic": "toxicity", "severe_toxic": "severe_toxicity", "identity_hate": "identity_attack"}
# Older releases of transformers kept these in the state: numbers that count positions, and a layer that the
# classification head of the roberta family never used.
_HARMLESS = re.compile(r"\w+\.embeddings\.position_ids|roberta\.pooler\.dense\.(weight|bias)")
_SHOWN = 3

Shape = tuple[int, ...]


class Recipe(msgspec.Struct, frozen=True):
    """How a checkpoint's model is built, and which attribute each of its named outputs is."""

    model_type: str
    model_name: str
    tokenizer_name: str
    outputs: int
    labels: tuple[Attribute, ...]

    @property
    def architecture(self) -> str:
        """The shape of the model: bert, roberta, xlm-roberta or albert."""
        return ARCHITECTURES[self.model_name]

    @property
    def columns(self) -> list[int]:
        """The numbers of the named outputs, toxicity's first, since of a long text the window it chose is kept."""
        return sorted(range(len(self.labels)), key=lambda number: self.labels[number] is not Attribute.TOXICITY)


class _Arguments(msgspec.Struct):
    num_classes: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    model_type: str
    model_name: str
    tokenizer_name: str


class _Arch(msgspec.Struct):
    args: _Arguments


class _Classes(msgspec.Struct):
    classes: list[str]


class _Dataset(msgspec.Struct):
    args: _Classes


class _Config(msgspec.Struct):
    arch: _Arch
    dataset: _Dataset


def read_recipe(content: object, place: str) -> Recipe:
    """Return what the checkpoint's config says; ScorerError where it says too little or names what is unknown."""
    if not isinstance(content, Mapping) or not {"config", "state_dict"} <= content.keys():
        raise ScorerError(f"{place} is no checkpoint of Detoxify: it has no config with a state_dict")
    try:
        config = msgspec.convert(content["config"], _Config)
    except msgspec.ValidationError as error:
        raise ScorerError(f"{place}: the checkpoint's config is not one of Detoxify: {error}") from None
    named, labels = config.arch.args, _labels(config.dataset.args.classes, place)
    _check_names(named, place)
    if named.num_classes < len(labels):
        raise ScorerError(f"{place}: the model has {named.num_classes} outputs for {len(labels)} labels")
    return Recipe(named.model_type, named.model_name, named.tokenizer_name, named.num_classes, labels)


def _check_names(named: _Arguments, place: str) -> None:
    if named.model_name not in ARCHITECTURES:
        raise ScorerError(f"{place}: the model class {named.model_name!r} is none of {', '.join(ARCHITECTURES)}")
    wanted = named.model_name.replace("ForSequenceClassification", "Tokenizer")
    if named.tokenizer_name not in (wanted, f"{wanted}Fast"):
        raise ScorerError(f"{place}: the tokenizer class {named.tokenizer_name!r} is not {wanted}")


def _labels(classes: Iterable[str], place: str) -> tuple[Attribute, ...]:
    names = [_RENAMED.get(name, name) for name in classes]
    unknown = [name for name in names if name not in set(Attribute)]
    if unknown:
        raise ScorerError(f"{place}: unknown labels {_some(unknown)}; known are {', '.join(Attribute)}")
    if len(set(names)) < len(names) or Attribute.TOXICITY not in names:
        raise ScorerError(f"{place}: the labels must name toxicity, and none twice; they are {', '.join(names)}")
    return tuple(Attribute(name) for name in names)


def check_weights(expected: Mapping[str, Shape], given: Mapping[str, Shape], place: str) -> None:
    """Raise ScorerError unless every weight of the model is given, in its shape, and no other.

    The package would fill a missing one with random numbers and drop an unknown one, both in silence.
    """
    missing = expected.keys() - given.keys()
    unexpected = {name for name in given.keys() - expected.keys() if not _HARMLESS.fullmatch(name)}
    wrong = [name for name in expected.keys() & given.keys() if tuple(expected[name]) != tuple(given[name])]
    for problem, names in (("lacks", missing), ("has unknown", unexpected), ("has, in another shape,", wrong)):
        if names:
            raise ScorerError(
                f"{place}: the checkpoint {problem} weights of the model that its config and config.json describe: "
                f"{_some(names)}"
            )


def known_weights(state: Mapping[str, Any], expected: Iterable[str]) -> dict[str, Any]:
    """Return the weights that the model has, without what older releases kept beside them."""
    return {name: state[name] for name in expected}


def _some(names: Iterable[str]) -> str:
    shown = sorted(names)
    return ", ".join(map(repr, shown[:_SHOWN])) + (f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else "")
