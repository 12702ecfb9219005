"""Speakers out of the machine: the ten digits, said by eSpeak NG or Flite with several voices, as clips like FSDD's.

The folder that it writes holds digit_voice_take.wav, 16 bits, each take at a tempo, pitch and level of its own. For
`speech --format fsdd --voices FOLDER...`, which has them in training alone. eSpeak NG has hundreds of voices, of many
accents: pip install 'keras-seqgen[voices]'. Flite, a package of the system, has four, made of recordings of people.
Another run says the same in the same way, but not to the sample: eSpeak NG has a chance of its own.
"""

import sys
import wave

import numpy as np
from apache_beam.io.filesystems import FileSystems

from keras_seqgen.data.speech_flite import PITCHES, say_flite
from keras_seqgen.data.speech_voices import FASTEST, MOST, SLOWEST, say, voice_names
from keras_seqgen.errors import UserError
from pipelines.arguments import command
from pipelines.files import emptied
from pipelines.speech_strings import WORDS, find_clips

EXAMPLES = """examples:
  88 voices that say each digit 20 times
    python -m pipelines voices --output voices
  the four of Flite, 40 times each
    python -m pipelines voices --engine flite --takes 40 --output flite
  strings of digits, of people and of voices; george is heard in the test alone
    python -m pipelines speech --format fsdd --input fsdd --voices voices flite --output prepared/no-george \\
        --leave-out george
"""
# For the voices of other languages, whose readers would find the English words in this.
SPELLED = {
    "de": "siero uann tuh sri fohr feif sicks sewwen ejt nein",
    "fr": "ziro ouane tou sri for faïve sixe sévène eïte naïne",
    "hi": "ज़ीरो वन टू थ्री फ़ोर फ़ाइव सिक्स सेवन एट नाइन",
    "es": "sirou uan tu sri for faif sics seven eit nain",
    "ru": "зироу уан ту сри фор файв сикс севен эйт найн",
    "nl": "ziero wan toe srie foor fijf siks sevven eet nijn",
    "it": "zirou uan tu tri for faiv sics seven eit nain",
    "pl": "zirou łan tu sri for fajw syks sewen ejt najn",
    "tr": "ziro uan tu sri for fayv siks sevın eyt nayn",
    "sv": "siro oan tu tri får fajv siks seven ejt najn",
    "el": "ζίρου ουάν του θρι φορ φάιβ σιξ σέβεν έιτ νάιν",
    "pt": "zirou uan tu tri for faive six séven eite naine",
    "hu": "zíró uan tú szrí fór fájv sziksz szeven éjt nájn",
    "fi": "siro uan tu tri foor faiv siks seven eit nain",
}
_LOUDNESS = (0.1, 0.8)  # of the peak, drawn evenly


def add_arguments(parser) -> None:
    """Adds the options to a parser."""
    add = parser.add_argument
    add("--output", metavar="FOLDER", help="where to write; its clips of such voices are replaced")
    add("--engine", default="espeak", choices=("espeak", "flite"), help="who speaks (default: espeak)")
    add("--voices", type=int, help=f"how many, of eSpeak NG's 1 to {MOST} (default: 88)")
    add("--takes", type=int, default=20, help="how often each says a digit (default: 20)")
    add("--rate", type=int, default=8000, metavar="HZ", help="samples a second (default: 8000, as FSDD)")
    tempo = "words a minute, drawn evenly (default: 80 300)"
    add("--tempo", nargs=2, type=int, default=[SLOWEST, 300], metavar=("SLOW", "FAST"), help=tempo)
    add("--seed", type=int, default=0, help="of tempi, pitches and levels (default: 0)")


def main(argv: list[str] | None = None) -> int:
    """`python -m pipelines voices`.

    Returns:
        0; 2 after a user's mistake, named in one line on standard error.
    """

    def prepare(own, options):
        if not own.output:
            raise UserError("--output is missing")
        if own.takes < 1 or own.rate < 4000:
            raise UserError(f"--takes must be positive, --rate 4000 or more. Received: {own.takes}, {own.rate}")
        if not SLOWEST <= own.tempo[0] <= own.tempo[1] <= FASTEST:
            raise UserError(f"--tempo must be {SLOWEST} <= SLOW <= FAST <= {FASTEST}. Received: {own.tempo}")
        if own.engine == "flite":
            if own.voices is not None:
                raise UserError(
                    f"--voices is for --engine espeak; Flite speaks with all of its own, {', '.join(PITCHES)}"
                )
            names = [f"flite+{name}" for name in PITCHES]
        else:
            try:
                names = voice_names(88 if own.voices is None else own.voices)
            except ValueError as error:
                raise UserError(f"--voices: {error}") from error
        known = {*voice_names(MOST), *(f"flite+{name}" for name in PITCHES)}
        strangers = {speaker for _, _, speaker, _ in find_clips(own.output)}.difference(known)
        if strangers:
            raise UserError(f"{own.output} holds clips of {', '.join(sorted(strangers))}: name another --output")
        _draw(WORDS[0], names[0], own.tempo, own.rate, np.random.default_rng())  # or the clips that are there stay
        rng = np.random.default_rng(own.seed)
        with emptied(own.output, ["[0-9]_*+*_*.wav"]):
            for number, name in enumerate(names, start=1):
                for digit, word in enumerate(_words(name)):
                    for take in range(own.takes):
                        path = FileSystems.join(own.output, f"{digit}_{name}_{take}.wav")
                        _write(path, _draw(word, name, own.tempo, own.rate, rng), own.rate)
                print(f"voice {number} of {len(names)}: {name}", file=sys.stderr)
        print(f"{len(names) * len(WORDS) * own.takes} clips in {own.output}")
        return 0

    return command("voices", argv, __doc__, EXAMPLES, add_arguments, prepare)


def _words(voice):
    """The ten digits as this voice has to read them."""
    return SPELLED[accent].split() if (accent := voice.split("+")[0]) in SPELLED else WORDS


def _draw(word, voice, tempo, rate, rng):
    pace, pitch, liveliness = rng.integers(*tempo, endpoint=True), rng.integers(10, 90), rng.integers(20, 80)
    engine, _, own_name = voice.partition("+")
    speak, name = (say_flite, own_name) if engine == "flite" else (say, voice)
    return rng.uniform(*_LOUDNESS) * speak(word, name, int(pace), int(pitch), int(liveliness), rate)


def _write(path, samples, rate):
    with FileSystems.create(path) as stream, wave.open(stream, "wb") as file:
        file.setparams((1, 2, rate, len(samples), "NONE", ""))
        file.writeframes(np.round(samples * (2**15 - 1)).astype("<i2").tobytes())
