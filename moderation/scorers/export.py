"""From a torch module to a folder that onnxruntime and tokenizers run alone, whole or in eight bits.

Imports torch, onnx and the quantiser inside its functions; running what is written here needs none of them.
"""

import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from moderation.scorers.detoxify import DetoxifyScorer
from moderation.scorers.detoxify_opening import Opened
from moderation.scorers.onnx import OUTPUT, read_tokenizer
from moderation.scorers.onnx_folder import MODEL, TOKENIZER, Manifest, write_manifest
from moderation.scorers.protocol import Scorer

OPSET = 17
"""The first operator set with layer normalisation as one operator."""


class Source(msgspec.Struct, frozen=True):
    """A loaded torch model: its module, tokenizer and what its manifest will say, and the scorer that it is."""

    module: Any
    tokenizer_json: str
    tokenise: Callable[[str], Sequence[int]]
    manifest: Manifest
    scorer: Scorer


def source_of(opened: Opened) -> Source:
    """Return what is exported of a Detoxify model: its named outputs, in the order of its scorer's attributes."""
    tokenizer = opened.package.tokenizer
    return Source(
        module=_kept_logits(opened.package.model, opened.recipe.columns),
        tokenizer_json=tokenizer.backend_tokenizer.to_str(),
        tokenise=lambda text: list(tokenizer(text, verbose=False).input_ids),
        manifest=Manifest(
            name=f"detoxify-{opened.name}",
            architecture=opened.recipe.architecture,
            languages=tuple(sorted(opened.languages)),
            labels=opened.labels,
            longest=opened.framing.longest,
            pad_id=opened.framing.pad_id,
            inputs=("input_ids", "attention_mask"),
            normalise=True,
        ),
        scorer=DetoxifyScorer(opened),
    )


def _kept_logits(model: Any, columns: Sequence[int]) -> Any:
    import torch

    class Kept(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.register_buffer("columns", torch.tensor(columns))

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            logits = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
            return logits.index_select(1, self.columns)

    return Kept()


def export_module(module: Any, tokenizer_json: str, manifest: Manifest, folder: Path) -> Manifest:
    """Write the folder of a torch module that gives logits [rows, labels] for the manifest's inputs, in their order.

    The tokenizer is one of the `tokenizers` library as JSON; the manifest needs no files, it is returned with them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TOKENIZER).write_text(tokenizer_json, encoding="utf-8")
    # Read and written again, so that the file itself cuts and pads nothing.
    tokenizer = read_tokenizer(folder / TOKENIZER)
    tokenizer.save(str(folder / TOKENIZER))
    _trace(module, tokenizer.encode("An example of a text").ids, manifest, folder / MODEL)
    return write_manifest(folder, manifest)


def _trace(module: Any, ids: list[int], manifest: Manifest, path: Path) -> None:
    import torch

    # Two rows of different lengths, so that no mask of ones alone is taken for granted.
    row = torch.tensor([ids, ids])
    mask = torch.ones_like(row)
    mask[1, len(ids) // 2 :] = 0
    given = {"input_ids": row, "attention_mask": mask, "token_type_ids": torch.zeros_like(row)}
    axes = {name: {0: "rows", 1: "tokens"} for name in manifest.inputs}
    with _evaluating(module), warnings.catch_warnings(), torch.no_grad():
        # The tracer warns of shapes it takes as fixed; the proof on texts of many lengths is what decides.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(given[name] for name in manifest.inputs),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(manifest.inputs),
            output_names=[OUTPUT],
            dynamic_axes={**axes, OUTPUT: {0: "rows"}},
        )


@contextmanager
def _evaluating(module: Any) -> Iterator[None]:
    """The exporter puts a module back into the mode it had, and dropout in an export would be noise in every score."""
    training = [one for one in module.modules() if one.training]
    module.eval()
    try:
        yield
    finally:
        for one in training:
            one.training = True


def quantise(whole: Path, small: Path, *, embeddings: bool = True, head: bool = True, narrowing: bool = True) -> None:
    """Write a model's file with weights in eight bits, a scale for each channel, activations measured as it runs.

    Weights use seven of the eight bits, since without VNNI instructions the sum of two products would overflow. What
    drifts can stay as it is: embeddings, the layers after pooling, layers with fewer outputs than inputs.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(dir=small.parent) as work, _silent():
        # Layers that share their weights reach them by nodes of their own, which the quantiser would take for results.
        plain = Path(work) / "plain.onnx"
        quant_pre_process(str(whole), str(plain), skip_symbolic_shape=True)
        quantize_dynamic(
            str(plain),
            str(small),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            op_types_to_quantize=["MatMul", "Gemm", *(["Gather"] if embeddings else [])],
            nodes_to_exclude=_kept_nodes(plain, head=head, narrowing=narrowing),
            extra_options={"MatMulConstBOnly": True},
        )


@contextmanager
def _silent() -> Iterator[None]:
    """The quantiser tells the root logger of every node."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def _kept_nodes(path: Path, *, head: bool, narrowing: bool) -> list[str]:
    import onnx

    graph = onnx.load(str(path)).graph
    shapes = {one.name: list(one.dims) for one in graph.initializer}
    products = [node for node in graph.node if node.op_type in ("MatMul", "Gemm") and node.input[1] in shapes]
    # A layer on pooled rows, [rows, width], is one Gemm; on tokens, [rows, tokens, width], it is a MatMul and a sum.
    kept = [node.name for node in products if node.op_type == "Gemm" and not head]
    kept += [node.name for node in products if not narrowing and _narrows(node, shapes[node.input[1]])]
    # The quantiser takes a Gemm apart first and calls its half so.
    return sorted({*kept, *(f"{name}_MatMul" for name in kept)})


def _narrows(node: Any, shape: list[int]) -> bool:
    turned = any(one.name == "transB" and one.i for one in node.attribute)
    inputs, outputs = reversed(shape) if turned else shape
    return inputs > outputs


def quantise_folder(whole: Path, small: Path, manifest: Manifest, **kept: bool) -> Manifest:
    """Write the folder of a variant in eight bits of a folder; `kept` is what `quantise` may leave as it is."""
    small.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(whole / TOKENIZER, small / TOKENIZER)
    quantise(whole / MODEL, small / MODEL, **kept)
    return write_manifest(small, msgspec.structs.replace(manifest, rows_alone=True))
