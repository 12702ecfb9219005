"""Texts for the embedded corpus: own-written words and sentence patterns, so no licence is attached to them.

Two kinds of line. A *demo* line has small letters and spaces only: a few words, half of them invented, so that no
letter is rare and a network cannot guess the next letter from the last. A *full* line mixes sentences, numbers, dates,
addresses and jumbles of every printable ASCII character.
"""

import string
from collections.abc import Sequence

import numpy as np


def _words(text: str) -> list[str]:
    return text.split()


PRINTABLE = string.digits + string.ascii_letters + string.punctuation

WORDS = _words("""
able about above acid across actor adjust advice after again agree ahead alive almost alone also amaze amber among
angle animal answer apple apron april arch argue arm army aroma artist ask atlas attic august aunt avoid awake award
axis azure baby back badge bake balance balloon bamboo banana bank bark basil basket bath beach bean bear beauty
because bed before begin behind believe bell below bench between beyond bicycle big birch bird biscuit black blanket
blaze bleach blink block blossom blue board boat body boil bold book border borrow both bottle bounce bowl box brave
bread break breeze brick bridge brief bright bring broad broken brook brother brown brush bubble bucket build bulb
bundle butter button buy buzz cabin cable cactus cake call calm camera candle canoe canvas capable carbon careful
carpet carry castle catch cedar cello centre chain chair chalk change charm cheap check cheese cherry chess chief
child chimney choice circle citrus city clay clean clear clever cliff climb clock close cloud clover coach coast
cobalt coffee coin cold colour column comb come comet common compass copper coral corner cotton count country cousin
cover crab craft crane crazy cream creek cricket crisp cross crowd crown cube curious current curve cycle daisy
dance danger dark daughter dawn day dazzle deep deer delay delta depth desert design desk detail diagram dial diary
dinner direct dish distance dizzy doctor dolphin door double dove down dozen draft dragon draw dream dress drift
drink drive drop drum dry duck dune dusk dust duty each eager eagle early earth east easy echo edge effort egg eight
either elbow eleven ember empty end engine enjoy enough equal equip error even event every exact example except exit
expect extra eye fable fabric face fact fair falcon family famous farm fast father favour feather fence fern ferry
fetch field fifty figure find finger finish fire first fish five fix flag flame flat fleet flight flock floor flour
flower flute fly fog fold follow forest forget fork form forty fossil found fountain four fox frame free fresh
friday friend frost frozen fruit full funny future galaxy garden garlic gate gather gauze gentle ghost giant ginger
give glacier glad glass glide globe glove gold good goose grace grain grape grass gravel gray great green ground
group grow guard guess guide guitar habit half hammer hand happy harbour hard harvest hat hazel heart heavy hedge
height hello help herb hero hidden high hill hobby hold hollow honey horizon horse hotel hour house how humble
hundred husky ice idea igloo image inch index inside invite iron island ivory jacket jaguar january jar jasmine jazz
jelly jewel job join joke journey joy judge jug juice july jump june jungle junior just kayak keep kettle key kind
king kiosk kitchen kite kiwi knee knife knock knot know koala label ladder lake lamp language large last late laugh
lazy leaf learn leave lemon length letter level light lilac lime linen lion liquid list little lizard local lock
logic lonely long look loud lovely low lucky lunar lunch machine magic magnet main make mango many map maple marble
march margin market mask match maze meadow measure melody melt member memory metal method middle midnight mild milk
mill mind minute mirror mix mobile model modern moment monday monkey month moon morning moss motion mountain mouse
mouth move much muddy mulberry muscle museum music mystery nail name narrow nature near neat needle neighbour nest
never night nimble nine noble noise noodle north note nothing notice novel now number nurse nut oak oasis object
ocean october offer often olive onion only open opera orange orbit orchard order origin other otter oven over owl
own oxygen oyster paddle page paint pair palace palm panda paper parade park parrot part pass path patient pause
peace peach pearl pebble pencil people pepper perfect phone photo piano pick picnic picture piece pigeon pillow
pilot pine pixel place plain planet plant plaza please plenty plum pocket poem point polar police polite pond pony
poppy porch post potato powder prairie praise press pretty price prize problem project proud public pump pumpkin
puppet pure purple puzzle quail quality quarter quartz queen query quest question queue quick quiet quill quilt
quince quite quiz quota quote rabbit race radio raft rail rain raise random range rapid rare raven reach ready
reason record red reef relax repair report rest result rhyme rhythm ribbon rice ride right ring river road robin
robot rocket roof room root rope rose rough round royal rubber ruby rule run rustic saddle safe saffron sail salad
salt same sand sapphire saturday sauce scale scarf school science score sea season second secret seed senior seven
shadow shape share sharp sheep shell shine ship shirt shore short shoulder show shrub shy side signal silent silk
silver simple sing sister six sixty size sketch skill sky sleep slice slow small smart smile smoke smooth snail snow
soap sock soft solid song soon sound soup south space spark sparrow speak special spice spider spin spoon spring
square squash squid squirrel stage stamp star station steam stem step stone store storm story straight strange
stream street string strong student study sudden sugar summer sun sunday surface swan sweet swim swing symbol system
table talk tall tango tape taste taxi teach team tea tempo ten tent texture thank theory thick thin thing thirty
thread three thumb thunder thursday ticket tidy tiger timber time tiny toast today tomato tone tool topaz torch
total touch tower town trace track trade train travel treasure tree triangle tribe true trumpet trust truth tuesday
tulip tunnel turn turtle twelve twenty twice twig two type umbrella uncle under unique unit until upper urban useful
usual vacuum valley value vanilla vase vast velvet verb verse very vessel view village vine vintage violet violin
visit vivid vixen voice volcano vowel voyage wagon walk wall walnut walrus warm wash watch water wave wax weather
wednesday week weigh west whale wheat wheel where whisper white whole wide wild willow wind window wine winter
wisdom wise wish wizard wolf wonder wood wool word work world worry wrap wren write wrong xylophone yacht yard yarn
year yellow yesterday yet yoga yolk young zebra zenith zero zest zigzag zinc zipper zone zoo zoom
""")

NAMES = _words("""
Ada Alma Bruno Bella Carl Cora Dora Dirk Elsa Emil Fay Felix Greta Gus Hugo Hana Ida Ivo Jana Jules Kira Knut Lena
Luis Mara Max Nora Nils Olga Otto Pia Paul Quinn Queenie Rosa Rolf Sven Sonia Tara Theo Uma Ugo Vera Vito Wanda Will
Xena Xavier Yara York Zoe Zack
""")

PATTERNS = (
    "{Word} and {word} {word} the {word}.",
    "The {word} {word} is {word}, not {word}.",
    "Has {name} seen the {word} {word}?",
    "What a {word} {word}!",
    "{name} wrote to {name} on {number} {word}.",
    "I can't {word} it: {name}'s {word} is {word}.",
    '"{Word} {word}," said {name}.',
    '{name} asked: "Why {word}?"',
    "Meet {name} & {name} at {hour}:{minute}.",
    "No. {number}; see page {number} ({word}).",
    "{Word}-{word} costs ${number}.{minute}",
    "{number}% of {number} {word}s",
    "{number} + {digit} = {number}",
    "{number} / {digit} - {digit} * {digit} < {number}",
    "{word}_{word}@{word}.net",
    "www.{word}.org/~{word}/{number}",
    "C:\\{Word}\\{word}.txt",
    "{Word} [{digit}] and {{word}} | {word}",
    "#{number}: {word} > {word} ^ {digit}",
    "`{word}` = <{word}>; {WORD}",
    "{WORD} {WORD} {number}",
    "Dear {name}, {word} {word} {word}",
    "On {digit}/{digit}/{year} {name} {word} {word}",
    "{word} {word} {word} {word} {word}",
    "{jumble} {jumble} {word} {jumble}",
    "{name} {jumble} {WORD} {jumble}",
)

_SHORT = [word for word in WORDS if len(word) <= 6]
_ONSETS = _words("b c d f g h j k l m n p qu r s t v w x y z bl ch cr dr fl gr kn pl qu sh sk sp st th tr wh")
_VOWELS = _words("a e i o u a e i o u y ai ea ee io oo ou")
_CODAS = _words("b c d f g k l m n p r s t v w x z ck ft lm nd ng nk rk st xt")


def _pick(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(rng.integers(len(choices)))]


def invented_word(rng: np.random.Generator, syllables: int) -> str:
    """A pronounceable word that no dictionary holds, rare letters as often as common ones."""
    body = "".join(_pick(rng, _ONSETS) + _pick(rng, _VOWELS) for _ in range(syllables))
    return body + _pick(rng, _CODAS) if syllables == 1 or rng.random() < 0.5 else body


def demo_text(rng: np.random.Generator) -> str:
    """Two to five short small-letter words, about 8 to 30 characters."""

    def word() -> str:
        kind = rng.random()
        if kind < 0.06:
            return _pick(rng, string.ascii_lowercase)  # as in "a line"
        return invented_word(rng, int(rng.integers(1, 3))) if kind < 0.6 else _pick(rng, _SHORT)

    return " ".join(word() for _ in range(int(rng.integers(2, 6))))


def full_text(rng: np.random.Generator) -> str:
    """One sentence, number, address or jumble out of every printable ASCII character, about 10 to 50 characters."""

    def word() -> str:
        return invented_word(rng, int(rng.integers(1, 4))) if rng.random() < 0.3 else _pick(rng, WORDS)

    parts = _pick(rng, PATTERNS)
    for name, draw in {
        "{word}": word,
        "{Word}": lambda: word().capitalize(),
        "{WORD}": lambda: word().upper(),
        "{name}": lambda: _pick(rng, NAMES),
        "{number}": lambda: str(int(rng.integers(10, 10_000) % 10 ** int(rng.integers(2, 5)))),
        "{digit}": lambda: str(int(rng.integers(1, 30))),
        "{hour}": lambda: str(int(rng.integers(1, 25))),
        "{minute}": lambda: f"{int(rng.integers(60)):02d}",
        "{year}": lambda: str(int(rng.integers(1800, 2100))),
        "{jumble}": lambda: "".join(_pick(rng, PRINTABLE) for _ in range(int(rng.integers(2, 8)))),
    }.items():
        pieces = parts.split(name)
        parts = pieces[0] + "".join(draw() + piece for piece in pieces[1:])
    return parts
