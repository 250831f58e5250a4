"""Sentences in many languages and shapes, and strategies that the tests of this room share."""

from hypothesis import strategies as st

from moderation.circumstances import Circumstances
from moderation.policy import Condition, Mode, OnScorerFailure, Outcome, Policy, Reason, Rule
from moderation.rules import BUILT_IN_REASONS, YES_OR_NO, Signal
from moderation.scores import Attribute, Scores
from moderation.signals import Signals

MODEL = "model-a"
LANGUAGES = {
    "ar": "أعتقد أن المجلس يجب أن يستثمر في ممرات الدراجات في المدينة",
    "bg": "Мисля, че общината трябва да инвестира в повече велоалеи и паркове",
    "bn": "আমি মনে করি শহরে আরও সাইকেল পথ দরকার",
    "cs": "Myslím si, že by město mělo investovat do nových cyklostezek a parků",
    "da": "Jeg synes, at kommunen skal bygge flere cykelstier i hele byen",
    "de": "Die Regierung hat gestern beschlossen, dass die Steuern im nächsten Jahr steigen",
    "el": "Νομίζω ότι ο δήμος πρέπει να επενδύσει σε ποδηλατόδρομους",
    "en": "I think the council should invest in bike lanes all over the city",
    "es": "Creo que el ayuntamiento debería invertir más dinero en carriles para bicicletas",
    "fa": "من فکر می‌کنم شورای شهر باید برای دوچرخه‌ها مسیر بسازد",
    "fi": "Minusta kaupungin pitäisi rakentaa lisää pyöräteitä ja puistoja",
    "fr": "Je pense que la mairie devrait investir davantage dans les pistes cyclables",
    "he": "אני חושב שהעירייה צריכה להשקיע בשבילי אופניים",
    "hi": "मुझे लगता है कि शहर को साइकिल मार्गों में निवेश करना चाहिए",
    "hu": "Szerintem a városnak több pénzt kellene költenie kerékpárutakra",
    "hy": "Կարծում եմ, որ քաղաքը պետք է հեծանվային ուղիներ կառուցի",
    "it": "Penso che il comune dovrebbe investire di più nelle piste ciclabili della città",
    "ja": "市は自転車専用道路にもっと投資すべきだと思います",
    "ka": "ვფიქრობ, რომ ქალაქმა ველობილიკებში უნდა ჩადოს ფული",
    "ko": "시의회가 자전거 도로에 더 투자해야 한다고 생각합니다",
    "nl": "Ik vind dat de gemeente meer geld moet steken in fietspaden in de stad",
    "pl": "Uważam, że miasto powinno zbudować więcej ścieżek rowerowych",
    "pt": "Acho que a câmara municipal deveria investir mais em ciclovias e não em estradas",
    "ro": "Cred că primăria ar trebui să investească mai mult în piste pentru biciclete",
    "ru": "Я думаю, что городу нужно больше велосипедных дорожек и парков",
    "sv": "Jag tycker att kommunen borde bygga fler cykelvägar i hela staden",
    "ta": "நகரத்தில் மிதிவண்டி பாதைகள் தேவை என்று நினைக்கிறேன்",
    "th": "ฉันคิดว่าเมืองควรลงทุนสร้างทางจักรยานเพิ่มขึ้น",
    "tr": "Bence belediye şehirde daha fazla bisiklet yolu yapmalı ve parkları korumalı",
    "uk": "Я вважаю, що місто має збудувати більше велосипедних доріжок",
    "vi": "Tôi nghĩ rằng thành phố nên xây thêm đường dành cho xe đạp",
    "zh": "我认为市议会应该投资建设更多的自行车道",
}
"""One civil sentence in each of 32 languages, by ISO 639-1 code."""

CALM = Signals(links=0, shouting=0.0, repeats=1, words=(), evasions=(), language="en", characters=40)


def scores_of(value: float, model: str = MODEL, attribute: Attribute = Attribute.TOXICITY) -> Scores:
    """Return calibrated scores with one value."""
    return Scores(model_id=model, calibrated=True, values={attribute: value})


def toxicity(at_least: float) -> Condition:
    """Return the condition that most tests use."""
    return Condition(attribute=Attribute.TOXICITY, at_least=at_least)


HARSH = Rule("harsh", Outcome.REJECT, (toxicity(0.9),), "toxicity")
DOUBTFUL = Rule("doubtful", Outcome.HOLD, (toxicity(0.5),), "toxicity")
LINKS = Rule("links", Outcome.HOLD, (Condition(signal=Signal.LINKS, at_least=3),), "links")
REASONS = (Reason("toxicity", "Too harsh."), Reason("links", "Too many links."), *BUILT_IN_REASONS)


def policy_of(*rules: Rule, **fields: object) -> Policy:
    """Return a policy for MODEL with the reasons of the tests."""
    return Policy(**{"name": "test", "model": MODEL, "rules": rules, "reasons": REASONS, **fields})  # type: ignore[arg-type]


_shares = st.floats(0, 1)
_conditions = st.one_of(
    st.builds(Condition, attribute=st.sampled_from(Attribute), at_least=_shares),
    st.builds(Condition, signal=st.just(Signal.SHOUTING), at_least=_shares),
    st.builds(
        Condition,
        signal=st.sampled_from([Signal.LINKS, Signal.REPEATS, Signal.CHARACTERS]),
        at_least=st.integers(1, 20).map(float),
    ),
    st.builds(Condition, signal=st.sampled_from([Signal.WORDS, Signal.EVASIONS]), any=st.just(True)),
    st.builds(Condition, signal=st.sampled_from(sorted(YES_OR_NO)), any=st.just(True)),
    st.builds(Condition, signal=st.sampled_from(sorted(YES_OR_NO)), at_most=st.just(0.0)),
    st.builds(Condition, signal=st.just(Signal.ACCOUNT_DAYS), at_most=st.floats(0, 400)),
    st.builds(Condition, signal=st.just(Signal.APPROVED), at_most=st.integers(0, 9).map(float)),
    st.builds(Condition, signal=st.just(Signal.STAY_DOWN), at_least=_shares),
)
_rules = st.builds(
    Rule,
    id=st.from_regex("[a-z]{1,8}", fullmatch=True),
    outcome=st.sampled_from([Outcome.HOLD, Outcome.REJECT]),
    when=st.lists(_conditions, min_size=1, max_size=3).map(tuple),
    reason=st.sampled_from(["toxicity", "links", "other"]),
)
policies = st.builds(
    Policy,
    name=st.just("any"),
    model=st.just(MODEL),
    mode=st.sampled_from(Mode),
    on_scorer_failure=st.sampled_from(OnScorerFailure),
    rules=st.lists(_rules, max_size=5, unique_by=lambda rule: rule.id).map(tuple),
    reasons=st.just(REASONS),
    fallback_model=st.sampled_from([None, "model-b"]),
)
"""Sound policies of every mode."""
signals = st.builds(
    Signals,
    links=st.integers(0, 20),
    shouting=_shares,
    repeats=st.integers(0, 50),
    words=st.lists(st.sampled_from(["badger", "weasel"]), max_size=2, unique=True).map(tuple),
    evasions=st.lists(st.sampled_from(["leet", "zero_width"]), max_size=2, unique=True).map(tuple),
    language=st.sampled_from([None, "en", "ru"]),
    characters=st.integers(0, 5000),
)
"""Any facts about a comment."""
_flags = st.none() | st.booleans()
_counts = st.none() | st.integers(0, 30)
circumstances = st.builds(
    Circumstances,
    guest=_flags,
    verified=_flags,
    trusted=_flags,
    account_days=st.none() | st.floats(0, 4000),
    approved=_counts,
    rejected_share=st.none() | _shares,
    duplicates=_counts,
    near_duplicates=_counts,
    stay_down=st.none() | _shares,
    stay_down_reason=st.sampled_from([None, "toxicity", "gone"]),
    burst=_counts,
    honeypot=_flags,
    seconds_to_write=st.none() | st.floats(0, 9000),
    spam_service=_flags,
    pre_moderated=_flags,
    near_restricted=_flags,
)
"""Any facts about an author and a submission."""
scores = st.builds(
    Scores,
    model_id=st.sampled_from([MODEL, MODEL, MODEL, "model-b"]),
    calibrated=st.booleans(),
    values=st.dictionaries(st.sampled_from(Attribute), _shares, min_size=1),
)
"""Sound scores, mostly of the model that the policies name."""
