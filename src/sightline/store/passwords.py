"""Passwords: which are good enough, and how they are kept.

Argon2id with the cost of RFC 9106, section 4, second choice (64 MiB, 3 passes); at most two are computed at a time, so
that many logins at once cannot take the server's memory.
"""

from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sightline.errors import OptionError

SHORTEST = 10
LONGEST = 1000  # characters; hashing takes time with the length
_AT_ONCE = BoundedSemaphore(2)
_COMMON = frozenset(  # of at least ten characters, from the lists that guessers begin with; compared without case
    """1234567890 0123456789 0987654321 1111111111 0000000000 9876543210 1122334455 12345678910 123456789a 123456789q
    a123456789 1q2w3e4r5t 1qaz2wsx3edc qwertyuiop qwertyuiop123 qwerty1234 qwerty12345 qwerty123456 qwertz1234
    qwertzuiop asdfghjkl1 asdfghjkl; zxcvbnm123 password12 password123 password1234 password12345 password123!
    password!! passw0rd12 passw0rd123 p@ssword123 p@ssw0rd123 p@ssw0rd!! passwort12 passwort123 passwort1234
    iloveyou12 iloveyou123 ilovejesus jesuschrist sunshine12 princess12 football12 baseball12 letmein123 letmein1234
    welcome123 welcome1234 welcome2024 welcome2025 welcome2026 willkommen willkommen1 willkommen123 admin12345
    admin123456 admin@1234 administrator administrator1 changeme12 changeme123 changemenow secret1234 secret12345
    superman12 basketball manchester liverpool1 hello12345 hallo12345 hallo123456 test123456 testtest12 testtesttest
    default123 sightline1 sightline12 sightline123 sightline1234 inspection inspection1 qualitaet1 produktion
    produktion1 abcdefghij abcdefghijk abcd123456 abc1234567 abc123abc123 aaaaaaaaaa q1w2e3r4t5 zaq12wsxcde
    trustno1trustno1 monkey1234 dragon1234 master1234 letmeinplease computer12 computer123 starwars12 starwars123
    michelle12 whatever12 freedom123 correcthorsebatterystaple""".split()  # noqa: SIM905 - a list of 110 lines would say no more
)


def refuse_weak(password: str, name: str) -> None:
    """Raise OptionError where somebody would guess it; length counts, kinds of characters do not (NIST SP 800-63B)."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise OptionError(f"password: has {len(password)} characters; take {SHORTEST} to {LONGEST}.")
    plain = password.casefold()
    if plain in _COMMON or len(set(plain)) < 4 or plain in _of_name(name):
        raise OptionError("password: is one that others try first. Take several words that do not belong together.")


def _of_name(name: str) -> set[str]:
    plain = name.casefold()
    return {plain, plain + plain, plain[::-1], *(f"{plain}{end}" for end in ("1", "12", "123", "1234", "12345", "!"))}


def hashed(password: str) -> str:
    """As it is kept: argon2id with salt and cost."""
    with _AT_ONCE:
        return _hasher().hash(_bytes(password))


def fits(password: str, kept: str) -> bool:
    """Whether it is the one; takes as long for an empty `kept`, which no password fits."""
    try:
        with _AT_ONCE:
            return _hasher().verify(kept or _nobodys(), _bytes(password)) and bool(kept)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)


@cache
def _nobodys() -> str:
    return _hasher().hash("nobody has this")


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")[: 4 * LONGEST]
