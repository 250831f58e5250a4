"""Sentences without malice about war, politics, faith and identity, so that their words alone are not held."""

from collections.abc import Iterator
from itertools import product

PEOPLE = (
    "Muslims", "Jews", "Christians", "Catholics", "Hindus", "Buddhists", "Sikhs", "atheists", "gay people",
    "lesbians", "trans people", "Black people", "white people", "Arabs", "Mexicans", "immigrants", "refugees",
    "women", "men", "disabled people", "deaf people", "blind people", "Palestinians", "Israelis", "Ukrainians",
    "Russians", "Chinese people", "Africans", "Asians", "Americans", "Germans", "Turks", "Kurds", "Roma families",
)  # fmt: skip
"""Groups of people, in the plural."""
_ABOUT_PEOPLE = (
    "{} have lived here for generations.",
    "{} and their neighbours met at the town hall.",
    "Many {} came to the festival this year.",
    "The museum shows how {} helped to build this region.",
    "{} make up a third of the district.",
    "I grew up among {} and learned a lot.",
    "The law protects {} like everyone else.",
    "The article says little about how {} see it.",
    "Two thirds of {} voted in the last election.",
    "{} deserve the same rights as the rest of us.",
    "{} are welcome here.",
    "I met {} from all over the country.",
    "{} are people like you and me.",
    "All {} are invited to the meeting.",
    "{} face discrimination at work.",
    "The faith and customs of {} are a part of our history.",
)
_IDENTITIES = (
    "gay", "lesbian", "bisexual", "trans", "queer", "straight", "Muslim", "Jewish", "Christian", "Catholic",
    "Buddhist", "Hindu", "Sikh", "atheist", "Black", "white", "Latino", "Asian", "African", "Arab", "Mexican",
    "Chinese", "Indian", "Irish", "deaf", "blind", "disabled", "old", "young", "homeless", "female", "male",
)  # fmt: skip
_ABOUT_ONE = (
    "I am a {} person and I read this paper every day.",
    "My brother is {} and he works at the hospital.",
    "She is {} and proud of it.",
    "The new mayor is {}.",
    "As a {} woman I agree with the author.",
    "As a {} man I see this differently.",
    "Being {} is a part of who I am.",
    "My {} friends liked the film.",
    "A {} couple opened a bakery in our street.",
    "He wrote a book about growing up {}.",
)
_EVENTS = (
    "missile strike", "bombing", "drone attack", "explosion", "shooting", "earthquake", "flood", "air raid",
    "car bomb", "fire", "storm", "train crash", "suicide attack", "avalanche", "stampede", "ambush",
)  # fmt: skip
_ABOUT_EVENTS = (
    "The {} killed five people in the north.",
    "At least a dozen people died in the {}.",
    "The {} destroyed two houses near the station.",
    "Police are still investigating the {}.",
    "Nobody has claimed responsibility for the {}.",
    "My cousin was injured in the {} last week.",
    "The {} happened close to the school.",
    "Survivors of the {} told their story to the court.",
)
_TOPICS = (
    "the war", "abortion", "gun control", "immigration", "nuclear power", "the death penalty", "the budget",
    "the occupation", "the ceasefire", "the sanctions", "the election", "the strike", "police violence", "racism",
    "antisemitism", "Islam", "the church", "the rape trial", "the murder case", "drug policy", "sex education",
    "euthanasia", "the genocide", "slavery", "the Holocaust", "terrorism", "suicide prevention", "vaccines",
    "climate change", "the referendum", "Brexit", "taxes", "public transport", "bike lanes", "the housing crisis",
)  # fmt: skip
_ABOUT_TOPICS = (
    "I disagree with the minister about {}.",
    "The debate on {} will go on for years.",
    "Thank you for the careful report about {}.",
    "We need an honest conversation about {}.",
    "My grandmother often talked about {}.",
    "The government has no plan for {}, and that worries me.",
    "I think the author is wrong about {}.",
    "The council should spend more time on {}.",
    "What does the opposition say about {}?",
    "Parliament votes on {} tomorrow.",
)
_PLAIN = (
    "The soldiers were shot near the bridge.", "The suspect was charged with murder.", "He died of cancer in May.",
    "The film is about a killer who escapes.", "They killed the bill in committee.", "That joke killed me.",
    "The army fired rockets at the airport.", "I shot some great photos of the parade.", "The hostages are alive.",
    "Cut the onions and beat the eggs.", "The plan is dead on arrival.", "This policy will cost lives.",
    "I hate waiting for the bus.", "This is a bad idea.", "I strongly disagree.", "That makes no sense to me.",
    "You are wrong about the numbers.", "Nonsense, the figures say otherwise.", "Poor decision by the board.",
    "What a terrible tragedy.", "The victims were raped and beaten, the court heard.", "Sad news.",
    "The troops attacked the village at dawn.", "Hunters shoot too many wolves.", "Breast cancer kills thousands.",
    "Sex workers need legal protection.", "The cock crowed at dawn.", "The dam is safe.", "He won the gold medal.",
    "Scunthorpe lost again.", "We visited Essex and Sussex.", "The assassin was never found.", "Pass the salt.",
    "The bishop spoke about abuse in the church.", "Great article, thank you.", "First comment!", "Me too.",
    "Prices are up again.", "Does anyone know a good plumber?", "The trains were late.", "I love this town.",
    "Kids need safe routes to school.", "More trees, fewer cars.", "Why is the library closed on Mondays?",
    "I hope you are well.", "I hope you get better soon.", "I hope they win.", "I hope it rains.", "Hello", "ok",
    "Thanks",
    "You should see the new bridge.", "You should all read this.", "Someone should fix it.", "I will call the office.",
    "Go back to the first page.", "Go back to the old timetable.", "Shut the door, please.", "They shut the factory.",
    "Islam is a religion of peace.", "Black lives matter.", "The Bible and the Quran share many stories.",
    "Judaism is older than Christianity.", "Hinduism has many festivals.", "The priest and the imam spoke together.",
    "People die on this road every year.", "My dog died.", "My father died last year.", "Many species will die out.",
    "The patient died of complications.", "This kills jobs.", "I hate this weather.", "I hate taxes.",
    "The referee was blind to that foul.", "The team was slaughtered in the second half.", "Fire the coach.",
    "Who pays for this?", "Source, please.", "Well said.", "I am not convinced.", "Please fix the potholes.",
)  # fmt: skip


def neutral_texts() -> Iterator[str]:
    """Yield sentences of news and opinion whose words often occur in abuse, none of which is abuse."""
    yield from _PLAIN
    for sentence, name in product(_ABOUT_EVENTS, _EVENTS):
        yield sentence.format(name)
    for sentence, name in product(_ABOUT_TOPICS, _TOPICS):
        yield sentence.format(name)


def identity_texts() -> Iterator[str]:
    """Yield sentences that name a group of people without judging it."""
    for sentence, name in product(_ABOUT_PEOPLE, PEOPLE):
        yield sentence.format(name)
    for sentence, name in product(_ABOUT_ONE, _IDENTITIES):
        yield sentence.format(name)
