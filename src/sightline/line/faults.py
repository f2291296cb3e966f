"""The error codes of a station, as a PLC and an operator's panel see them: 16 bits, and never renumbered.

0 is none. 100 to 199 are the station's: it is not ready while they last. 200 to 299 are one part's: it is rejected.
"""

from enum import IntEnum
from typing import Self


class Fault(IntEnum):
    """What went wrong; `cause` and `cure` are one line each."""

    cause: str
    cure: str

    def __new__(cls, number: int, cause: str, cure: str) -> Self:
        fault = int.__new__(cls, number)
        fault._value_ = number
        fault.cause, fault.cure = cause, cure
        return fault

    NONE = 0, "Nothing is wrong.", "Nothing to do."

    PLC_LOST = 101, "The PLC's heartbeat stands still, or it cannot be read.", "Check the PLC, its network and address."
    NO_RECIPE = 102, "No recipe is loaded.", "Ask for one by its number, or name one when the station starts."
    RECIPE_UNKNOWN = 103, "The station has no recipe of the number asked for.", "Ask for another, or install it."
    RECIPE_FAILED = 104, "The recipe asked for cannot be loaded.", "Read the station's log; correct it, then reset."
    STARTING = 105, "Cameras are being opened and models loaded.", "Wait."
    CAMERA_LOST = (
        106,
        "A camera of the recipe is not there.",
        "Check its cable and power; it is opened again by itself.",
    )
    WORKER_LOST = 107, "The process that runs the models is being replaced.", "Wait; read the log if it comes back."
    RESTARTS_EXCEEDED = 108, "The process that runs the models died too often.", "Read the log, then reset."
    STORE_FAILED = 109, "Results cannot be written to the disk.", "Free or replace the disk."
    UNACKNOWLEDGED = 110, "The PLC does not acknowledge the result shown.", "Acknowledge it by its number, or reset."
    CHALLENGE_MISSED = 111, "A part known to be bad was not rejected.", "Check light, camera and model, then reset."
    ENCODER_LOST = (
        112,
        "The recipe tracks by encoder, and its count is missing or stands still.",
        "Check the encoder; let `enabled` fall when the conveyor stands.",
    )
    REFERENCE_OFF = 113, "Light, focus or position are not those of the set-up.", "Clean and check; calibrate anew."
    STOPPING = 114, "The station finishes its parts and stops.", "Wait."

    MISSED_TRIGGER = 201, "The part came while the station was not ready.", "Wait for `ready`; widen the spacing."
    NO_PART_ID = 202, "The part was triggered with the number 0.", "Number the parts from 1."
    REPEATED_PART_ID = 203, "The part has the number of one in flight or just done.", "Count up with each part."
    LATE = 204, "Its result could not be shown by its deadline.", "Widen the working window, or use a faster model."
    VIEW_MISSING = 205, "A picture of the part did not come, or came late.", "Check camera, cable and trigger."
    UNFIT = 206, "A picture is not fit to be judged; the log says why.", "Check light, lens, exposure and position."
    BAD_FRAME = 207, "A picture is damaged, or of the wrong size or format.", "Check the camera's cable and settings."
    MODEL_FAILED = 208, "The model gave no finite score.", "Read the log; check the model on this machine."
    WORKER_DIED = 209, "The process that runs the models died or hung over this part.", "Read the log."
    NOT_RECORDED = 210, "The result could not be written to the disk.", "Free or replace the disk."
    DROPPED = 211, "The part was in flight when the PLC was lost.", "See 101."
    RECIPE_CHANGED = 212, "Its recipe left while it was being judged.", "Leave a gap before the first part of another."
    OVERLOADED = 213, "The model was several parts behind.", "Use a faster model or PC; let nothing else run on it."

    @property
    def of_the_station(self) -> bool:
        return 100 <= self < 200

    @property
    def of_a_part(self) -> bool:
        return 200 <= self < 300
