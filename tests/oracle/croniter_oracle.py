"""Random cron expressions and what croniter makes of them: an oracle for tests/system/cron_oracle_test.cpp.

Prints one line an expression: the expression, a tab, and seconds since the epoch (UTC) of its next times after --base;
`never` when croniter finds none; `day-range` when croniter takes a day field for `*` that does not begin with one.

    croniter_oracle.py --seed 1 --count 5000 --times 5 --base 1767225600

Where croniter 1.3 has another form for the same thing, this script translates; where it has another meaning, the class
of difference is listed in the test.
"""
import argparse
import random

from croniter import CroniterBadDateError, croniter

MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
WEEKDAYS = "sun mon tue wed thu fri sat".split()


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def one_in(self, n):
        return self.random.randint(1, n) == 1

    def word(self, value, low, names):
        if not names or not self.one_in(3):
            return str(value)
        name = names[(value - low) % len(names)]
        return self.random.choice([name, name.upper(), name.title()])

    def element(self, low, high, names):
        kind = self.random.choice(["value", "value", "range", "range/n", "*/n", "a/n"])
        first = self.random.randint(low, high)
        last = self.random.randint(first, high)
        step = self.random.randint(1, max(1, high - low))
        if kind == "*/n":
            return f"*/{step}"
        if kind == "a/n":
            return f"{first}/{step}"
        text = self.word(first, low, names)
        if kind == "value":
            return text
        # `sun` ends no range here: whether it is 0 or 7 there is this project's own choice.
        text = f"{text}-{last}" if names is WEEKDAYS else f"{text}-{self.word(last, low, names)}"
        if names is WEEKDAYS and not text[0].isdigit():
            text = f"{first}-{last}"
        return text + f"/{step}" if kind == "range/n" else text

    def field(self, low, high, star, names=None):
        if self.random.random() < star:
            return "*"
        count = self.random.choice([1, 1, 1, 2, 3])
        return ",".join(self.element(low, high, names) for _ in range(count))

    def expression(self):
        fields = [
            self.field(0, 59, 0.2),
            self.field(0, 23, 0.3),
            self.field(1, 31, 0.5),
            self.field(1, 12, 0.6, MONTHS),
            self.field(0, 7, 0.5, WEEKDAYS),
        ]
        return ([self.field(0, 59, 0.1)] if self.one_in(4) else []) + fields


def without_date(fields):
    return fields[:-3] + ["*"] + fields[-2:]


def times(fields, base, count):
    # croniter has the second last, and one rule for the days for all expressions: cron(5)'s is chosen here.
    five = fields[-5:]
    either = not (five[2].startswith("*") or five[4].startswith("*"))
    try:
        walk = croniter(" ".join(five + fields[:-5]), base, day_or=either)
        if 7 in walk.expanded[4]:  # with a second field it forgets that 7 is Sunday
            days = ",".join(str(day) for day in sorted({day % 7 for day in walk.expanded[4]}))
            walk = croniter(" ".join(five[:4] + [days] + fields[:-5]), base, day_or=either)
        if any(walk.expanded[i] == ["*"] and five[i][0] != "*" for i in (2, 4)):
            return "day-range"
        return " ".join(str(int(walk.get_next(float))) for _ in range(count))
    except CroniterBadDateError:
        # It gives up on `30 2 mon` because of the 30th; cron(5) still has the Mondays.
        return times(without_date(fields), base, count) if either else "never"


def main():
    arguments = argparse.ArgumentParser()
    for name in ("seed", "count", "times", "base"):
        arguments.add_argument(f"--{name}", type=int, required=True)
    given = arguments.parse_args()
    generator = Generator(given.seed)
    for _ in range(given.count):
        fields = generator.expression()
        print(f"{' '.join(fields)}\t{times(fields, given.base, given.times)}")


if __name__ == "__main__":
    main()
