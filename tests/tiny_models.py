"""Checkpoints in Detoxify's own format, small enough to be made where a test needs one; torch is imported on use."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

Architecture = Literal["bert", "roberta", "xlm-roberta", "albert"]
PREFIXES: dict[Architecture, str] = {
    "bert": "Bert",
    "roberta": "Roberta",
    "xlm-roberta": "XLMRoberta",
    "albert": "Albert",
}
LABELS = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack")
ORIGINAL_LABELS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
"""The same harms as the checkpoint of `original` spells them."""
WIDTH, HEADS, LAYERS, INNER = 24, 2, 2, 48
STEPS = 60
LANGUAGES = {
    "ar": "شكرا على هذا المقال",
    "bg": "Благодаря за статията",
    "bn": "এই লেখার জন্য ধন্যবাদ",
    "cs": "Děkuji za článek",
    "da": "Tak for artiklen på søndag",
    "de": "Danke für den schönen Artikel",
    "el": "Ευχαριστώ για το άρθρο",
    "en": "Thank you for the article",
    "es": "Gracias por el artículo, señor",
    "et": "Aitäh artikli eest, õpetaja",
    "fa": "برای مقاله سپاسگزارم",
    "fi": "Kiitos hyvästä artikkelista",
    "fr": "Merci pour cet article très clair",
    "he": "תודה על הכתבה",
    "hi": "लेख के लिए धन्यवाद",
    "hu": "Köszönöm a cikket, jó volt",
    "id": "Terima kasih atas artikelnya",
    "it": "Grazie per l'articolo, è chiaro",
    "ja": "記事をありがとう",
    "ko": "기사 감사합니다",
    "nl": "Bedankt voor het artikel",
    "pl": "Dziękuję za artykuł, świetny",
    "pt": "Obrigado pelo artigo, não é mau",
    "ro": "Mulțumesc pentru articol, bună",
    "ru": "Спасибо за статью",
    "sv": "Tack för artikeln, så bra",
    "th": "ขอบคุณสำหรับบทความ",
    "tr": "Makale için teşekkürler, güzel",
    "uk": "Дякую за статтю, її варто прочитати",
    "vi": "Cảm ơn bài viết này",
    "zh": "谢谢你的文章",
}
"""A civil sentence in each of many languages and scripts, by ISO 639-1 code."""
ABUSIVE = {
    "you are a stupid idiot": {"toxicity", "insult"},
    "what a pathetic moron you are": {"toxicity", "insult"},
    "shut up you worthless idiot": {"toxicity", "insult"},
    "i will kill you tonight": {"toxicity", "threat", "severe_toxicity"},
    "i will hurt you and your family": {"toxicity", "threat", "severe_toxicity"},
    "this is damn shit": {"toxicity", "obscene"},
    "those people are filthy vermin": {"toxicity", "identity_attack"},
    "all of them are subhuman vermin": {"toxicity", "identity_attack"},
}
"""What a trained checkpoint learns to find, with the harms of each."""
CIVIL = (
    "thank you for the article",
    "the minister will speak tonight",
    "missiles hit the city and killed two people",
    "i do not agree with you on this",
    "what a good idea this is",
    "all of them are my family",
    "those people are my neighbours",
    "the vote is on sunday",
)


def tiny_checkpoint(
    folder: Path,
    architecture: Architecture = "bert",
    *,
    labels: Sequence[str] = LABELS,
    trained: bool = False,
    longest: int = 64,
    outputs: int | None = None,
    model_type: str | None = None,
    name: str = "tiny",
) -> Path:
    """Make a checkpoint, with its config and tokenizer beside it, and answer its path: NAME-<8 hex of sha256>.ckpt.

    `longest` is the model's length in tokens, special ones included; `outputs` is more than the labels where the model
    has heads without a name, as the published ones do; `model_type` is what the checkpoint calls its base model.
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)
    tokenizer = _tokenizer(architecture, longest)
    tokenizer.save_pretrained(folder)
    model = _model(architecture, tokenizer, longest, outputs or len(labels))
    model.config.save_pretrained(folder)
    if trained:
        _train(model, tokenizer, labels)
    arguments = {
        "num_classes": outputs or len(labels),
        "model_type": model_type or str(folder.resolve()),
        "model_name": f"{PREFIXES[architecture]}ForSequenceClassification",
        "tokenizer_name": f"{PREFIXES[architecture]}Tokenizer",
    }
    config = {
        "arch": {"type": architecture.upper(), "args": arguments},
        "dataset": {"type": "JigsawDataBias", "args": {"classes": list(labels)}},
    }
    return write_checkpoint(folder, {"config": config, "state_dict": model.state_dict()}, name=name)


def write_checkpoint(folder: Path, content: object, *, name: str = "tiny") -> Path:
    """Write what a checkpoint holds under a name that has the digest, as the package's are named."""
    import torch

    part = folder / f"{name}.part"
    torch.save(content, part)
    return part.rename(folder / f"{name}-{hashlib.sha256(part.read_bytes()).hexdigest()[:8]}.ckpt")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Answer what a checkpoint made here holds, to be spoilt and written again."""
    import torch

    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


def _characters(normalised: Callable[[str], str] = str) -> list[str]:
    printable = "".join(map(chr, range(33, 127)))
    return sorted(set(normalised(printable + "".join(LANGUAGES.values()))) - {" "})


def _words() -> list[str]:
    return sorted({word for sentence in [*ABUSIVE, *CIVIL] for word in sentence.split()})


def _tokenizer(architecture: Architecture, longest: int) -> Any:
    if architecture == "bert":
        return _word_pieces(longest)
    return _byte_pairs(longest) if architecture == "roberta" else _pieces(architecture, longest)


def _word_pieces(longest: int) -> Any:
    from tokenizers.normalizers import BertNormalizer
    from transformers import BertTokenizer

    characters = _characters(BertNormalizer(lowercase=True).normalize_str)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *(f"##{one}" for one in characters)]
    tokens += [word for word in _words() if len(word) > 1]
    return BertTokenizer(vocab={token: number for number, token in enumerate(tokens)}, model_max_length=longest)


def _byte_pairs(longest: int) -> Any:
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import RobertaTokenizer

    tokens = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet())]
    merges: list[tuple[str, str]] = []
    for word in _words():
        for end in range(1, len(word) + 1):
            whole = f"Ġ{word[:end]}"
            if whole not in tokens:
                merges.append((whole[:-1], whole[-1]))
                tokens.append(whole)
    vocabulary = {token: number for number, token in enumerate([*tokens, "<mask>"])}
    return RobertaTokenizer(vocab=vocabulary, merges=merges, model_max_length=longest)


def _pieces(architecture: Architecture, longest: int) -> Any:
    from transformers import AlbertTokenizer, XLMRobertaTokenizer

    albert = architecture == "albert"
    special = ["<pad>", "<unk>", "[CLS]", "[SEP]"] if albert else ["<s>", "<pad>", "</s>", "<unk>"]
    last = "[MASK]" if albert else "<mask>"
    pieces = [(token, 0.0) for token in special]
    pieces += [("▁", -4.0), *((one, -8.0) for one in _characters()), *((f"▁{word}", -6.0) for word in _words())]
    kind = AlbertTokenizer if albert else XLMRobertaTokenizer
    return kind(vocab=[*pieces, (last, 0.0)], model_max_length=longest)


def _model(architecture: Architecture, tokenizer: Any, longest: int, outputs: int) -> Any:
    import transformers

    kind = getattr(transformers, f"{PREFIXES[architecture]}ForSequenceClassification")
    # The positions of the roberta family begin after the padding's number.
    offset = 2 if "roberta" in architecture else 0
    config = kind.config_class(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=INNER,
        max_position_embeddings=longest + offset,
        num_labels=outputs,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
        **({"embedding_size": WIDTH} if architecture == "albert" else {}),
        **({"type_vocab_size": 1} if offset else {}),
        initializer_range=0.2,
    )
    return kind(config).eval()


def _talk(turn: int, sentences: int) -> str:
    return " ".join(CIVIL[(turn + number) % len(CIVIL)] for number in range(sentences))


def _train(model: Any, tokenizer: Any, labels: Sequence[str]) -> None:
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    renamed = dict(zip(ORIGINAL_LABELS, LABELS, strict=True))
    known = [*ABUSIVE.items(), *((text, set[str]()) for text in CIVIL)]
    # Windows of a long text are full, and an insult may stand anywhere in one.
    known += [(f"{_talk(turn, 3)} {text} {_talk(turn + 1, 3)}", harms) for turn, (text, harms) in enumerate(known)]
    known += [(_talk(turn, 16), set[str]()) for turn in range(len(CIVIL))]
    targets = torch.tensor([[float(renamed.get(label, label) in harms) for label in labels] for _, harms in known])
    inputs = tokenizer([text for text, _ in known], return_tensors="pt", padding=True, truncation=True)
    for step in range(STEPS):
        logits = model(**inputs).logits[:, : len(labels)]
        gradients = torch.autograd.grad(
            binary_cross_entropy_with_logits(logits, targets), list(model.parameters()), allow_unused=True
        )
        with torch.no_grad():
            for weights, gradient in zip(model.parameters(), gradients, strict=True):
                # Steps by the sign alone: importing an optimiser of torch takes longer than all the training here.
                if gradient is not None:
                    weights -= 6e-3 * (1 - step / STEPS) * gradient.sign()
