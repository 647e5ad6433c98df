"""Command lines of tests that draw at random: a seed repeats a run."""

import random


def parse(parser):
    """Adds --seed, parses, and prints the seed, drawn unless given. Returns the options and a
    generator that it seeds."""
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().getrandbits(32)
    print(f"seed {options.seed}", flush=True)
    return options, random.Random(options.seed)
