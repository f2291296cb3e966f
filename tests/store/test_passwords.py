"""Passwords as they are kept."""

from sightline.store.passwords import fits, hashed


def test_passwords_are_kept_by_argon2id_at_the_cost_of_its_rfc() -> None:
    kept = hashed("seven quiet herons")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert fits("seven quiet herons", kept)
    assert not fits("seven quiet heron", kept)
    assert not fits("seven quiet herons", "no hash")


def test_no_password_fits_nobody() -> None:
    assert not fits("nobody has this", "")
