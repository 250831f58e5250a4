"""A transformer by onnxruntime and tokenizers alone: the shipped compact model, or an exported Detoxify."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from moderation.scorers.onnx_folder import MODEL, TOKENIZER, Manifest, read_manifest
from moderation.scorers.transformer import (
    BATCH_TOKENS,
    MOST_ROWS,
    Encode,
    Encoded,
    Forward,
    Framing,
    Logits,
    Outputs,
    Tokens,
    Transformer,
    forget_words,
)
from moderation.scores import ScorerError, Scores

OUTPUT = "logits"
"""The single output of a model's file, [rows, labels]."""
_UNKNOWN = frozenset({"[UNK]", "<unk>"})
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxScorer:
    """A Scorer over an exported folder; needs neither torch nor transformers."""

    def __init__(
        self, manifest: Manifest, tokenizer: Tokenizer, forward: Forward, batch_tokens: int, *, at_once: int = 1
    ) -> None:
        """Take parts that were already checked."""
        self.model_id, self.digest = manifest.model_id, manifest.digest
        self.languages = frozenset(manifest.languages)
        self.attributes = manifest.labels
        self.highest = manifest.highest_values
        self._transformer = Transformer(
            manifest.model_id,
            Outputs(manifest.labels, manifest.calibration, manifest.weighing),
            framing_of(tokenizer, pad_id=manifest.pad_id, longest=manifest.longest),
            encode=encoder_of(tokenizer),
            forward=forward,
            normalised=manifest.normalise,
            batch_tokens=batch_tokens,
            most_rows=1 if manifest.rows_alone else MOST_ROWS,
            at_once=at_once,
        )

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        device: str = "cpu",
        threads: int = 1,
        batch_tokens: int = BATCH_TOKENS,
        normalise: bool | None = None,
    ) -> Self:
        """Load a folder, every file of it checked; ScorerError says what is wrong and what to do.

        Whether texts are normalised is the manifest's to say; another wish is another model and has another id.
        """
        manifest = read_manifest(folder)
        if normalise is not None:
            manifest = msgspec.structs.replace(manifest, normalise=normalise)
        tokenizer = read_tokenizer(folder / TOKENIZER)
        # One short row keeps one thread busy: rows that go alone go side by side instead, which scales far better.
        at_once, within = (threads, 1) if manifest.rows_alone and device == "cpu" else (1, threads)
        session = _open(folder / MODEL, device, within)
        _check_session(folder / MODEL, session, manifest)
        forward = _forward_of(session, manifest)
        _probe(folder / MODEL, forward, tokenizer, manifest)
        return cls(manifest, tokenizer, forward, batch_tokens, at_once=at_once)

    def score(self, texts: Sequence[str]) -> list[Scores]:
        """Return the scores of each raw text, in order; ScorerError rather than a wrong number."""
        return self._transformer.score(texts)


def read_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer.json that cuts and pads nothing and takes no special token from a text."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # The library raises nothing more special.
        raise ScorerError(f"{path} is not a tokenizer ({type(error).__name__}); export the model again") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    # A reader who writes [SEP] writes five characters, not the end of the comment.
    tokenizer.encode_special_tokens = True
    return tokenizer


def encoder_of(tokenizer: Tokenizer) -> Encode:
    """Return the Encode of a tokenizer."""

    def encode(texts: Sequence[str]) -> list[Encoded]:
        encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        forget_words(tokenizer)
        return [Encoded(ids=one.ids, offsets=one.offsets) for one in encodings]

    return encode


def framing_of(tokenizer: Tokenizer, *, pad_id: int, longest: int) -> Framing:
    """Read from a tokenizer which special tokens stand before and after a text."""
    example = tokenizer.encode("a")
    special = list(example.special_tokens_mask)
    first = special.index(0) if 0 in special else len(special)
    last = len(special) - special[::-1].index(0) if 0 in special else len(special)
    added = tokenizer.get_added_tokens_decoder()
    return Framing(
        before=tuple(example.ids[:first]),
        after=tuple(example.ids[last:]),
        pad_id=pad_id,
        longest=longest,
        marks=frozenset(number for number, token in added.items() if token.special and token.content not in _UNKNOWN),
    )


def _open(path: Path, device: str, threads: int) -> onnxruntime.InferenceSession:
    provider = _PROVIDERS.get(device.partition(":")[0])
    if provider is None:
        raise ScorerError(f"the device {device!r} is not known; it may be {' or '.join(_PROVIDERS)}")
    if provider not in onnxruntime.get_available_providers():
        raise ScorerError(
            f"the device {device!r} needs an onnxruntime with {provider}, and this one has none: install "
            "onnxruntime-gpu in its place, or set the device to cpu"
        )
    try:
        session = onnxruntime.InferenceSession(str(path), _options(threads), providers=[provider])
    except Exception as error:  # The library's own exceptions share no base.
        raise ScorerError(
            f"{path} cannot be loaded by onnxruntime ({type(error).__name__}); export the model again"
        ) from None
    # Where a driver is missing the library goes on without the device and says so only in its log.
    if session.get_providers()[0] != provider:
        raise ScorerError(f"the device {device!r} could not be opened by onnxruntime; see its log, or set it to cpu")
    return session


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Errors are raised; below them the library writes lines of its own to standard error.
    options.log_severity_level = 3
    # Threads that spin between batches take the core that the API would answer on.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _check_session(path: Path, session: onnxruntime.InferenceSession, manifest: Manifest) -> None:
    inputs = {one.name for one in session.get_inputs()}
    if inputs != set(manifest.inputs):
        raise ScorerError(f"{path} takes {sorted(inputs)}, its manifest says {sorted(manifest.inputs)}")
    outputs = session.get_outputs()
    if [one.name for one in outputs] != [OUTPUT]:
        raise ScorerError(f"{path} does not have the single output {OUTPUT}; export the model again")
    width = outputs[0].shape[-1] if outputs[0].shape else None
    if isinstance(width, int) and width != len(manifest.labels):
        raise ScorerError(f"{path} gives {width} numbers for each text, its manifest names {len(manifest.labels)}")


def _probe(path: Path, forward: Forward, tokenizer: Tokenizer, manifest: Manifest) -> None:
    """A model with fewer tokens than its tokenizer, or fewer places than its manifest says, fails now and not later."""
    last = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
    ids = np.full((1, manifest.longest), last, dtype=np.int64)
    try:
        logits = forward(ids, np.ones_like(ids))
    except ScorerError as error:
        raise ScorerError(
            f"{path} cannot read {manifest.longest} tokens, or the last of its tokenizer ({error}): the files do not "
            "belong together; export the model again"
        ) from None
    if logits.shape != (1, len(manifest.labels)) or not np.isfinite(logits).all():
        raise ScorerError(f"{path} does not give a finite number for each label; export the model again")


def _forward_of(session: onnxruntime.InferenceSession, manifest: Manifest) -> Forward:
    with_types = "token_type_ids" in manifest.inputs

    def forward(ids: Tokens, mask: Tokens) -> Logits:
        given = {"input_ids": ids, "attention_mask": mask}
        if with_types:
            given["token_type_ids"] = np.zeros_like(ids)
        try:
            (logits,) = session.run([OUTPUT], given)
        except Exception as error:  # A failed node's message may hold shapes, never texts; its type is enough.
            raise ScorerError(f"onnxruntime failed on a batch ({type(error).__name__})") from None
        answer: Logits = np.asarray(logits, dtype=np.float32)
        return answer

    return forward
