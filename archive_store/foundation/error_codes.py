"""The codes of errors; what each says is in `errors`."""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """Stable codes; front ends switch on them."""

    # who asks
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    PURPOSE_REQUIRED = "purpose_required"
    # what was asked
    INVALID_ARGUMENT = "invalid_argument"
    INVALID_QUERY = "invalid_query"
    UNKNOWN_FIELD = "unknown_field"
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"
    TOO_LARGE = "too_large"
    TOO_MANY_PAGES = "too_many_pages"
    TIMED_OUT = "timed_out"
    TOO_COMPLEX = "too_complex"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    DIGEST_MISMATCH = "digest_mismatch"
    CHECKSUM_MISMATCH = "checksum_mismatch"
    INVALID_FILE_NAME = "invalid_file_name"
    INFECTED = "infected"
    DAMAGED = "damaged"
    NOTHING_TO_CHANGE = "nothing_to_change"
    # values of a record
    REQUIRED = "required"
    LENGTH = "length"
    CHECK_DIGIT = "check_digit"
    INVALID_DATE = "invalid_date"
    INVALID_PHONE = "invalid_phone"
    INVALID_EMAIL = "invalid_email"
    INVALID_STUDENT_NUMBER = "invalid_student_number"
    UNKNOWN_CODE = "unknown_code"
    MISMATCH_IDENTITY = "mismatch_identity"
    NAME_MISMATCH = "name_mismatch"
    NOT_IN_CLASS = "not_in_class"
    DUPLICATE = "duplicate"
    FORMULA = "formula"
    INEXACT_NUMBER = "inexact_number"
    # roster files
    UNREADABLE_WORKBOOK = "unreadable_workbook"
    EMPTY_FILE = "empty_file"
    HEADER_NOT_FOUND = "header_not_found"
    UNKNOWN_COLUMN = "unknown_column"
    DUPLICATE_COLUMN = "duplicate_column"
    # state
    OUT_OF_RANGE = "out_of_range"
    CONFLICT = "conflict"
    WRONG_STATE = "wrong_state"
    RULE_FORBIDS = "rule_forbids"
    MATERIALS_MISSING = "materials_missing"
    DEPENDED_ON = "depended_on"
    DISPOSED = "disposed"
    SELF_APPROVAL = "self_approval"
    SEAT_TAKEN = "seat_taken"
    LOCKED = "locked"
    OFFSET_MISMATCH = "offset_mismatch"
    TRY_AGAIN = "try_again"
    TOO_OFTEN = "too_often"
    # why a subscription ended
    POST_ENDED = "post_ended"
    EVENTS_MISSED = "events_missed"
    TOO_SLOW = "too_slow"
    INTERNAL = "internal"
