"""Objections to a record (更正申请): a student or guardian asks for a correction, the department answers in time."""
