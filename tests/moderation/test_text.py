"""Disguises come off, innocent text stays, and no text makes the normaliser fail."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.text import normalise, plain
from tests.moderation.samples import LANGUAGES

DISGUISED = {
    "st\u200bupid": ("stupid", "zero_width"),
    "s\u2060t\ufeffu\u200dpid": ("stupid", "zero_width"),
    "stu\u0000pid": ("stupid", "zero_width"),
    "\u202ediots": ("diots", "bidi_override"),
    "s\u0336\u0335\u0334\u0333tupid": ("stupid", "stacked_marks"),
    "ѕtuріd": ("stupid", "look_alikes"),
    "iдiоt": ("idiot", "look_alikes"),
    "idiοt": ("idiot", "look_alikes"),
    "that ѕһіt again": ("that shit again", "look_alikes"),
    "🅸🅳🅸🅾🆃": ("IDIOT", "look_alikes"),
    "ｓｔｕｐｉｄ": ("stupid", None),
    "ⓢⓣⓤⓟⓘⓓ": ("stupid", None),
    "𝓼𝓽𝓾𝓹𝓲𝓭": ("stupid", None),
    "stup1d": ("stupid", "leet"),
    "sh1t": ("shit", "leet"),
    "b!tch": ("bitch", "leet"),
    "a$$hole": ("asshole", "leet"),
    "@sshole": ("asshole", "leet"),
    "$hit": ("shit", "leet"),
    "s t u p i d": ("stupid", "spaced_letters"),
    "s.t.u.p.i.d": ("stupid", "spaced_letters"),
    "s-t-u-p-i-d": ("stupid", "spaced_letters"),
    "s_t_u_p_i_d": ("stupid", "spaced_letters"),
    "s t u p 1 d": ("stupid", "spaced_letters"),
    "ѕ t u p і d": ("stupid", "spaced_letters"),
    "stuuuuuupid": ("stupid", None),
    "iddddiot": ("idiot", None),
    "l177le": ("little", "leet"),
    "f*ck": ("fuck", "masked"),
    "sh**": ("shit", "masked"),
    "f--k": ("fuck", "masked"),
    "stu.pid": ("stupid", "masked"),
    "id-iot": ("idiot", "masked"),
    "m*o*r*o*n": ("moron", "spaced_letters"),
    "mor/on": ("moron", "masked"),
    "idi ots": ("idiots", "spaced_letters"),
    "an ɪᴅɪᴏᴛ": ("an idiot", "look_alikes"),
    "ᴛʜᴇ ᴍᴏʀᴏɴs": ("the morons", "look_alikes"),
    "an ıdıot": ("an idiot", "look_alikes"),
    "an idiøt": ("an idiot", "look_alikes"),
    "an ꙇdꙇoꞇ": ("an idiot", "look_alikes"),
    "an ꓲꓓꓲꓳꓔ": ("an IDIOT", "look_alikes"),
    "ꓬꓳꓴ ꓮꓣꓰ ꓢꓔꓴꓑꓲꓓ": ("YOU ARE STUPID", "look_alikes"),
    "an ᎥᎠᎥᎾᎢ": ("an iDiOT", "look_alikes"),
    "an ⲓⲇⲓⲟⲧ": ("an idiot", "look_alikes"),
    "an 𐌉𐌃𐌉𐌏𐌕": ("an idiot", "look_alikes"),
    "an ιdισt": ("an idiot", "look_alikes"),
    "a mороn": ("a moron", "look_alikes"),
    "fцскiпg": ("fucking", "look_alikes"),
    "an 🇮🇩🇮🇴🇹": ("an IDIOT", "look_alikes"),
    "🇾🇴🇺 🇦🇷🇪 🇩🇺🇲🇧": ("YOU ARE DUMB", "look_alikes"),
    "🇸🇭🇮🇹": ("SHIT", "look_alikes"),
    "1⃣d1⃣0⃣t": ("1diot", "leet"),
    "sh1⃣t": ("shit", "leet"),
    "m🅾️r🅾️n": ("mOrOn", "look_alikes"),
    "🅱️itch": ("Bitch", "look_alikes"),
    "i🤍d🤍i🖤o🤍t": ("idiot", "spaced_letters"),
    "id🤍iot": ("idiot", "masked"),
    "<b>id</b>iot": ("idiot", "masked"),
    'st<span class="x">up</span>id': ("stupid", "masked"),
    "an idi ot": ("an idiot", "spaced_letters"),
    "mor on": ("moron", "spaced_letters"),
    "mоrоns": ("morons", "look_alikes"),
    "vvanker": ("wanker", "leet"),
    "k.y.s.": ("kys.", None),
    "faqqot": ("faggot", "leet"),
    "b*t*h": ("bitch", "masked"),
    "gov.ernm.ent": ("government", None),
    "Peo_ple": ("People", None),
}


@pytest.mark.parametrize("disguised", DISGUISED)
def test_disguises_come_off_and_are_named(disguised: str) -> None:
    """A disguised word is read as the word, and the kind of disguise is told."""
    read = normalise(disguised)
    word, evasion = DISGUISED[disguised]
    assert read.text == word
    assert evasion is None or evasion in read.evasions


INNOCENT = (
    "I think the council should invest in bike lanes.",
    "The U.S.A. and the U.K. signed it, e.g. last week.",
    "R.E.M. played in N.Y.C. in 1991.",
    "Plan A or plan B?",
    "a b c d e f g",
    "I a m tired",
    "Mail bob@example.com or see www.example.com/a1b2",
    "The P.O.W.s came home",
    "Wow!Great news, no!stop",
    "B2B and MP3 and 4K at 10am",
    "It costs $100 or US$ 95.",
    "We met on the 1st, 2nd and 3rd of May.",
    "@samantha_99 said so #covid19",
    "Was it good? Yes! Really.",
    "Flight AB123 from gate 4",
    "naïve café jalapeño Zürich",
    "J. R. R. Tolkien",
    "co\u00adoperate",
    "👩\u200d👩\u200d👧 family",
    "The pen.is on the table",
    "a well-known e-mail and a x-ray",
    "I like this *very* much, **bold** even",
    "no ho pe left",
    "he'll, she'll and we'd",
    "2 * 3 = 6 and a*b*c",
    "either/or, and/or, his/her",
    "the mass hole up north",
    "🇩🇪🇫🇷 play tonight, 🇮🇩 and 🇮🇴 too",
    "The blood group is 🅰️+ or 🅾️",
    "Tom ❤️ Ann and I ❤️ you",
    "Call 1⃣ now",
    "<b>bold</b> and <i>italic</i>, a < b and c > d",
    "Søren, Łukasz, Đorđe and Işık met in Tromsø",
    "Rødgrød med fløde på Sjælland, og så en øl",
    "Kırmızı ışıkta durdu, sıkıldı ve gitti",
    "The wire is 5 μm wide, Δt is 3 s and R is 10 Ωm",
    "He said вот and кто to me",
    "In IPA it is /ˈwɪkɪpiːdiə/",
    "See the FAQs",
    "Qatar, Iraq and the savvy Qaeda reporter",
    "Ask the p.m., i.e. him, at 5 a.m.",
    "My b/f and a g.p. said so",
)


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_text_is_not_taken_for_a_disguise(text: str) -> None:
    """Initials, addresses, prices, dates and emoji are no evasion, and no two words are joined."""
    read = normalise(text)
    assert read.evasions == ()
    assert len(read.text.split()) == len(plain(text).split())


@pytest.mark.parametrize(
    "text", ["ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ ᎠᏂᏴᏫᏯ", "ꓡꓲ ꓢꓴ ꓥꓳ ꓬꓲ", "Ⲛⲟⲩⲧⲉ ⲡⲉ ⲡⲉⲛⲉⲓⲱⲧ", "Το σπίτι μου είναι μικρό", "Вот рот, нос и хор"]
)
def test_a_text_in_a_script_of_look_alikes_keeps_its_letters(text: str) -> None:
    """Cherokee, Lisu, Coptic, Greek and Russian texts are not read as English, whatever their letters look like."""
    read = normalise(text)
    assert read.text == plain(text)
    assert read.evasions == ()


def test_two_scripts_in_one_word_are_told() -> None:
    """A word of Latin letters with one of another script is a disguise, whatever that letter looks like."""
    assert normalise("an idiжot").evasions == ("look_alikes",)


@pytest.mark.parametrize(
    "text", ["That was the end.The next day", "co-operate", "don't", "example.com", "news.example", "and/or"]
)
def test_marks_that_ordinary_words_have_stay(text: str) -> None:
    """A missing space after a full stop, a hyphen, an apostrophe or an address joins nothing."""
    assert normalise(text).text == text


@pytest.mark.parametrize("code", LANGUAGES)
def test_genuine_words_of_any_script_are_left_alone(code: str) -> None:
    """A civil sentence in another language keeps every letter and carries no evasion."""
    read = normalise(LANGUAGES[code])
    assert read.text == plain(LANGUAGES[code])
    assert read.evasions == ()


def test_a_quoted_foreign_word_stays_foreign() -> None:
    """A Russian or Greek word inside an English sentence is not transliterated."""
    assert normalise("He said привет and καλημέρα to me").text == "He said привет and καλημέρα to me"


def test_zero_width_joiners_between_persian_letters_are_no_evasion() -> None:
    """A joiner that the script needs is taken out without being called a disguise."""
    assert normalise("می\u200cروم").evasions == ()


def test_an_article_before_spaced_letters_stays_apart() -> None:
    """Where `a` before spaced letters is an article, the word is found without it; of unknown words both readings."""
    assert normalise("you a i d i o t").text == "you a idiot"
    assert {"azorgle", "zorgle"} <= set(normalise("you a z o r g l e").text.split())


def test_spaced_words_with_wider_gaps_stay_two_words() -> None:
    """Letters set apart by one space and words by two are read as two words."""
    assert normalise("s t u p i d  f o o l").text.split() == ["stupid", "fool"]


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_normalise_is_total_and_its_text_encodes(text: str) -> None:
    """Any text, lone surrogates included, gives a text that can be encoded and evasions without repeats."""
    read = normalise(text)
    read.text.encode()
    assert len(set(read.evasions)) == len(read.evasions)
    assert unicodedata.is_normalized("NFC", plain(text))


@given(st.text(alphabet="ab сеоі idOT1$@!. -*\u200b\u0301", max_size=80))
def test_normalising_settles_quickly(text: str) -> None:
    """What was normalised three times does not change any more, so no disguise hides a deeper stack of them."""
    read = text
    for _ in range(6):
        read = normalise(read).text
    assert normalise(read).text == read


@given(st.lists(st.sampled_from(["the", "council", "should", "invest", "money", "into", "bike", "lanes"]), max_size=30))
def test_plain_words_are_returned_as_they_are(words: list[str]) -> None:
    """Ordinary lower-case English passes through untouched."""
    assert normalise(" ".join(words)).text == " ".join(words)


WRAPPED = (
    "🇸🇭",
    "🇮🇩🇮",
    "a🤍",
    "id🤍iot ",
    "🅾a",
    "<b>",
    "a<b",
    "<b ",
    "ɪᴅ",
    "ꓲꓓ ",
    "aж",
    "q",
    "vv",
    "a.b.",
    "idi ot ",
    "1⃣",
)
HUGE = (
    *WRAPPED,
    "a ",
    "е",
    "\u0301\u0316",
    "i d i o t ",
    "a1",
    "$",
    "\u200b",
    "aе ",
    "a.b.",
    "x'",
    "👍",
    "مر",
    "a-",
    "\ud800",
)


HUGE_CHARACTERS = 200_000


@pytest.mark.parametrize("piece", HUGE)
def test_a_huge_text_is_read_in_linear_work(piece: str) -> None:
    """Of the worst patterns three times what a body may hold is read, none of them growing the text much.

    Were one of them quadratic, this would take minutes instead of a moment.
    """
    text = piece * (HUGE_CHARACTERS // len(piece))
    assert len(normalise(text).text) <= len(text) * 2


@given(st.text(alphabet=st.characters(max_codepoint=0x20AC), max_size=40))
def test_a_text_of_ordinary_characters_reads_as_it_does_beside_another(text: str) -> None:
    """Ordinary text takes a short way through the first step, and comes out of it as on the long one."""
    long_way, alone = plain(f"{text} Ω"), plain(text)
    assert long_way.removesuffix(" Ω") == alone
