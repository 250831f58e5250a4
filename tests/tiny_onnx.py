"""Exported folders so small that a test writes them byte by byte, without torch or onnx, and reckons by hand.

A logit is the sum over the unmasked tokens of what the model's table says of each.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from moderation.scorers.onnx_folder import MODEL, TOKENIZER, Manifest, write_manifest
from moderation.scores import Attribute

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = {"idiot": (3.0, 4.0), "burn": (2.0, -1.0), "thanks": (-2.0, -2.0), "a": (0.0, 0.0)}
"""Whole words of the model and their part in each label's logit."""
BIAS = (-1.5, -2.5)
"""The part of [CLS], which is in every window once."""
LABELS = (Attribute.TOXICITY, Attribute.INSULT)
LONGEST = 16
_FLOAT, _INT64 = 1, 7
_OPSET, _IR = 17, 8


def tiny_tokenizer() -> Tokenizer:
    """Return a tokenizer of WORDS and of single lower-case letters, with [CLS] and [SEP] around a text."""
    letters = [chr(code) for code in range(97, 123)]
    tokens = dict.fromkeys([*SPECIAL, *WORDS, *letters, *(f"##{letter}" for letter in letters), "!", "?", "."])
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = BertNormalizer(lowercase=True), BertPreTokenizer()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    )
    return tokenizer


def tiny_manifest(**fields: object) -> Manifest:
    """Return the manifest of the tiny model, with other fields where they are given."""
    given = {
        "name": "tiny",
        "architecture": "bag",
        "languages": ("en",),
        "labels": LABELS,
        "longest": LONGEST,
        "pad_id": 0,
        "inputs": ("input_ids", "attention_mask"),
        "normalise": True,
    }
    return Manifest(**{**given, **fields})  # type: ignore[arg-type]


def tiny_table(tokenizer: Tokenizer, words: Mapping[str, Sequence[float]] = WORDS) -> list[Sequence[float]]:
    """Return the rows of the model's table: one for each token, one number for each label."""
    rows: list[Sequence[float]] = [(0.0,) * len(BIAS)] * tokenizer.get_vocab_size()
    for word, row in {**words, "[CLS]": BIAS}.items():
        rows[tokenizer.get_vocab()[word]] = row
    return rows


def tiny_folder(
    folder: Path, *, table: list[Sequence[float]] | None = None, output: str = "logits", **fields: object
) -> Path:
    """Write the folder of the tiny model and return it; fields go to its manifest."""
    folder.mkdir(parents=True)
    tokenizer, manifest = tiny_tokenizer(), tiny_manifest(**fields)
    tokenizer.save(str(folder / TOKENIZER))
    rows = tiny_table(tokenizer) if table is None else table
    (folder / MODEL).write_bytes(bag_of_words(rows, inputs=manifest.inputs, output=output))
    write_manifest(folder, manifest)
    return folder


def rewrite(folder: Path, **fields: object) -> None:
    """Change fields of a folder's manifest and write it as it then is, checked by nobody."""
    path = folder / "model.json"
    document = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode({**document, **fields}))


def bag_of_words(rows: Sequence[Sequence[float]], *, inputs: Sequence[str], output: str) -> bytes:
    """Return the bytes of an ONNX model that sums the table's rows over the tokens whose mask is 1."""
    width = len(rows[0])
    numbers = struct.pack(f"<{len(rows) * width}f", *(number for row in rows for number in row))
    graph = [
        *(_field(1, node) for node in _nodes(output, types="token_type_ids" in inputs)),
        _field(2, b"bag"),
        _field(5, _tensor("table", (len(rows), width), _FLOAT, numbers)),
        _field(5, _tensor("last", (1,), _INT64, struct.pack("<q", 2))),
        _field(5, _tensor("tokens", (1,), _INT64, struct.pack("<q", 1))),
        *(_field(11, _value(name, _INT64, ("rows", "tokens"))) for name in inputs),
        _field(12, _value(output, _FLOAT, ("rows", width))),
    ]
    opset = _field(2, _OPSET)
    return b"".join([_field(1, _IR), _field(7, b"".join(graph)), _field(8, opset)])


def _nodes(output: str, *, types: bool) -> Iterable[bytes]:
    yield _node("Gather", ["table", "input_ids"], "found")
    yield _node("Cast", ["attention_mask"], "mask", _attribute("to", _FLOAT))
    yield _node("Unsqueeze", ["mask", "last"], "wide")
    yield _node("Mul", ["found", "wide"], "kept")
    yield _node("ReduceSum", ["kept", "tokens"], "sum" if types else output, _attribute("keepdims", 0))
    if types:
        yield _node("Cast", ["token_type_ids"], "types", _attribute("to", _FLOAT))
        yield _node("ReduceSum", ["types", "tokens"], "typed", _attribute("keepdims", 1))
        yield _node("Add", ["sum", "typed"], output)


def _varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _field(number: int, value: int | bytes | str) -> bytes:
    """One field of a protobuf message: a whole number, or bytes with their length before them."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _node(kind: str, inputs: Sequence[str], output: str, *attributes: bytes) -> bytes:
    named = b"".join(_field(1, name) for name in inputs)
    return named + _field(2, output) + _field(4, kind) + b"".join(_field(5, one) for one in attributes)


def _attribute(name: str, number: int) -> bytes:
    return _field(1, name) + _field(3, number) + _field(20, 2)


def _tensor(name: str, shape: Sequence[int], kind: int, data: bytes) -> bytes:
    return b"".join(_field(1, size) for size in shape) + _field(2, kind) + _field(8, name) + _field(9, data)


def _value(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    sizes = (_field(1, _field(1, one) if isinstance(one, int) else _field(2, one)) for one in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, b"".join(sizes))))
