"""Faults that pydantic finds in a payload, as errors of ours: no sentence of a library reaches a user."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from archive_store.foundation.errors import ErrorCode, Message, RegistrarError

# A part of a path may be a key of the asker's own choosing.
_PART_LIMIT = 100
# What pydantic puts in a path: after a faulty key, and for characters that no UTF-8 text holds.
_KEY_OF_DICT = "[key]"
_UNSHOWABLE = "\ufffd"
# By the first word of a fault's type.
_CODES = {
    "date": ErrorCode.INVALID_DATE,
    "enum": ErrorCode.UNKNOWN_CODE,
    "missing": ErrorCode.REQUIRED,
}
_OBJECT = Message(zh="须为对象", en="it must be an object")
_LIST = Message(zh="须为列表", en="it must be a list")
_SENTENCES = {
    "bool": Message(zh="须为是或否(true 或 false)", en="it must be true or false"),
    "dict": _OBJECT,
    "frozen": _LIST,
    "int": Message(zh="须为整数", en="it must be a whole number"),
    "list": _LIST,
    "model": _OBJECT,
    "set": _LIST,
    "string": Message(zh="须为文字", en="it must be text"),
    "tuple": _LIST,
}
# By the whole type, where its first word says too little.
_WHOLE_SENTENCES = {
    "string_pattern_mismatch": Message(zh="格式不对", en="it is not well formed"),
    "string_unicode": Message(zh="含有无法保存的字符", en="it has characters that cannot be stored"),
}
_OTHER = Message(zh="值的类型或格式不对", en="the value is not of the right type or form")


def error_of_fault(error: ValidationError) -> RegistrarError:
    """The first fault, with the path of its field in the payload."""
    fault: dict[str, Any] = dict(error.errors(include_url=False, include_input=False)[0])
    kind, field, told = fault["type"], _path(fault["loc"]), fault.get("ctx", {})
    word = kind.split("_")[0]
    if kind == "extra_forbidden":
        return RegistrarError(ErrorCode.UNKNOWN_FIELD, field=field, name=field)
    if kind == "string_too_short":
        return RegistrarError(ErrorCode.REQUIRED, field=field)
    if kind == "string_too_long":
        return RegistrarError(ErrorCode.TOO_LONG, field=field, limit=told["max_length"])
    if kind == "too_long":
        return RegistrarError(ErrorCode.TOO_MANY, field=field, limit=told["max_length"])
    if kind == "greater_than_equal":
        least = told["ge"]
        return _invalid(field, Message(zh=f"不得小于 {least}", en=f"it must be at least {least}"))
    if kind == "less_than_equal":
        most = told["le"]
        return _invalid(field, Message(zh=f"不得大于 {most}", en=f"it must be at most {most}"))
    if word in _CODES:
        return RegistrarError(_CODES[word], field=field)
    return _invalid(field, _WHOLE_SENTENCES.get(kind) or _SENTENCES.get(word, _OTHER))


def _invalid(field: str, sentence: Message) -> RegistrarError:
    return RegistrarError(
        ErrorCode.INVALID_ARGUMENT, field=field, detail_zh=sentence.zh, detail_en=sentence.en
    )


def _path(parts: tuple[int | str, ...]) -> str:
    shown = (shown_part(part) for part in parts if part != _KEY_OF_DICT)
    return ".".join(part for part in shown if part)


def shown_part(part: object) -> str:
    """One part of a path, cut to a length and to characters that can be shown."""
    return "".join(c for c in str(part)[:_PART_LIMIT] if c.isprintable() and c != _UNSHOWABLE)
