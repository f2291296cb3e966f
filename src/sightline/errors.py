"""What can go wrong, by what the caller would do about it.

    InspectionError
      OptionError     an option or a recipe cannot work      -> refuse to start
      DatasetError    the data set cannot be used like this  -> refuse to start
      BundleError     the .sight file cannot be trusted      -> refuse to start
      FrameError      this picture cannot be judged          -> FAULT, never PASS
      StoreError      the result is not on disk              -> stop

A message says what, what was found, and the cure, in one line; where a file is concerned, it begins with its path.
"""


class InspectionError(Exception):
    """Root of everything Sightline raises on purpose; its text is fit to be shown to a user."""


class OptionError(InspectionError):
    """An option, or a combination of options, cannot work."""


class DatasetError(InspectionError):
    """A data set cannot be read, or does not hold what the task needs."""


class BundleError(InspectionError):
    """A `.sight` file is damaged, was altered, or is of a version or kind that cannot be used."""


class FrameError(InspectionError):
    """A picture cannot be decoded or does not fit the model; on the line the part is a FAULT."""


class StoreError(InspectionError):
    """A result could not be written: disk full, no permission, or the folder is gone."""
