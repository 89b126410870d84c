"""Compares what two builds of a program printed: see common.h for what its lines mean."""

# Kernels add in another order: a distance may differ by some units in its last place for each of some hundred terms.
RELATIVE, ABSOLUTE = 3e-5, 4e-6


def sequences(text):
    """{seed: (lines, complete)} of a program's output."""
    found, seed, lines = {}, None, []
    for line in text.splitlines():
        if line.startswith('# '):
            seed, lines = int(line.split()[1]), [line]
            found[seed] = lines, False
        elif line.startswith('. '):
            found[seed] = lines, True
            seed, lines = None, []
        elif seed is not None:
            lines.append(line)
    return found


def near(a, b):
    a, b = float(a), float(b)
    return a == b or a != a and b != b or abs(a - b) <= RELATIVE * max(abs(a), abs(b)) + ABSOLUTE


def row_of(text):
    """[(label, distance)] of what stands behind =>."""
    return [(label, float(distance)) for label, distance in (entry.split(':') for entry in text.split())]


def same_row(a, b, soft):
    """The same distances, the same labels; among equal distances at the end of a row there may be others."""
    a, b = row_of(a), row_of(b)
    if len(a) != len(b):
        return False
    equal = near if soft else lambda x, y: x == y
    if not all(equal(x, y) for (_, x), (_, y) in zip(a, b)):
        return False
    for at, (label, distance) in enumerate(a):
        tied = {other for other, d in b if equal(d, distance)}
        if label != b[at][0] and label not in tied and not equal(distance, a[-1][1]):
            return False
    return len({label for label, _ in b}) == len({label for label, _ in a})


def same_word(a, b):
    return a == b or a.startswith('~') and b.startswith('~') and near(a[1:], b[1:])


def same_line(a, b, soft):
    if a == b:
        return True
    (words_a, arrow_a, row_a), (words_b, arrow_b, row_b) = a.partition(' =>'), b.partition(' =>')
    if arrow_a != arrow_b or len(words_a.split()) != len(words_b.split()):
        return False
    return all(map(same_word, words_a.split(), words_b.split())) and same_row(row_a, row_b, soft)


def first_difference(a, b):
    """(line, text of one, text of the other) of the first lines that are not the same, or None."""
    soft = a[0].endswith(' soft')
    for number, (x, y) in enumerate(zip(a, b)):
        if not same_line(x, y, soft):
            return number, x, y
    if len(a) != len(b):
        number = min(len(a), len(b))
        return number, *(lines[number] if number < len(lines) else '(the end)' for lines in (a, b))
    return None
