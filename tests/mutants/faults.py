"""Small faults in one file, each as a piece of text and what stands in its place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlglot.tokens import Token, Tokenizer, TokenType

_OPPOSITE = {
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
_SQL_CONDITION = re.compile(r" AND (?:NOT )?[a-z_.]+ (?:=|<>|<|>|<=|>=|IN|IS) [^\s\"')]+", re.IGNORECASE)
_SQL_OTHER = {
    TokenType.EQ: "<>", TokenType.NEQ: "=", TokenType.LT: "<=", TokenType.LTE: "<", TokenType.GT: ">=",
    TokenType.GTE: ">", TokenType.ASC: "desc", TokenType.DESC: "asc", TokenType.LEFT: "inner", TokenType.INNER: "left",
    TokenType.AND: "or", TokenType.NOT: "", TokenType.DISTINCT: "",
}  # fmt: skip
_SQL_WORDS = {
    "max": "min",
    "min": "max",
    "sum": "max",
    "first_value": "last_value",
    "lag": "lead",
    "lead": "lag",
}
# An expression may hold another in a text, as hooks do.
_JINJA = re.compile(
    r"""\{#.*?#\}|\{%.*?%\}|\{\{(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^'"])*?\}\}""", re.DOTALL
)
_ENDS = {TokenType.AND, TokenType.OR, TokenType.WHERE, TokenType.GROUP_BY, TokenType.ORDER_BY, TokenType.JOIN,
         TokenType.LEFT, TokenType.INNER, TokenType.HAVING, TokenType.UNION, TokenType.THEN, TokenType.R_PAREN,
         TokenType.COMMA, TokenType.QUALIFY, TokenType.LIMIT}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """Characters `start` to `end` of a file become `text`."""

    path: Path
    start: int
    end: int
    text: str
    kind: str

    def put_into(self, content: str) -> str:
        return content[: self.start] + self.text + content[self.end :]

    def told(self, content: str) -> str:
        line = content.count("\n", 0, self.start) + 1
        before = " ".join(content[self.start : self.end].split())
        return f"{self.path}:{line} {self.kind}: `{before[:60]}` → `{self.text[:60]}`"


def faults_in(path: Path, content: str) -> list[Fault]:
    """Every fault that the file can be given, in order."""
    made = _in_python(path, content) if path.suffix == ".py" else _in_sql(path, content)
    return sorted(set(made), key=lambda one: (one.start, one.end, one.text))


def _in_python(path: Path, content: str) -> Iterator[Fault]:
    # The offsets of `ast` are bytes of a line.
    lines = content.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def place(node: ast.expr, *, end: bool = False) -> int:
        row, column = (node.end_lineno, node.end_col_offset) if end else (node.lineno, node.col_offset)
        assert row is not None
        assert column is not None
        return starts[row - 1] + len(lines[row - 1].encode()[:column].decode())

    def instead(node: ast.expr, text: str, kind: str) -> Fault:
        return Fault(path, place(node), place(node, end=True), text, kind)

    tree = ast.parse(content)
    # `@dataclass(frozen=True)`: a promise to who writes the code, which nothing that runs can break.
    classes = [one for one in ast.walk(tree) if isinstance(one, ast.ClassDef)]
    unseen = {part for one in classes for word in one.decorator_list for part in ast.walk(word)}
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in _OPPOSITE:
                yield Fault(
                    path, place(left, end=True), place(right), f" {_OPPOSITE[type(operator)]} ", "comparison"
                )
            case ast.BoolOp(values=values):
                texts = [content[place(one) : place(one, end=True)] for one in values]
                word = " and " if isinstance(node.op, ast.And) else " or "
                for dropped in range(len(texts)):
                    left_over = texts[:dropped] + texts[dropped + 1 :]
                    yield instead(node, f"({word.join(left_over)})", "dropped condition")
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield instead(node, content[place(operand) : place(operand, end=True)], "dropped not")
            case ast.Constant(value=bool() as value) if node not in unseen:
                yield instead(node, str(not value), "flag")
            case ast.Constant(value=str() as value) if "WHERE" in value.upper() and " AND " in value.upper():
                text = content[place(node) : place(node, end=True)]
                for found in _SQL_CONDITION.finditer(text):
                    yield Fault(
                        path,
                        place(node) + found.start(),
                        place(node) + found.end(),
                        " AND 1 = 1",
                        "SQL condition",
                    )
            case ast.BinOp(op=ast.Add() | ast.Sub() as operator, left=left, right=right):
                sign = " - " if isinstance(operator, ast.Add) else " + "
                if not any(isinstance(one, (ast.Constant, ast.JoinedStr, ast.List)) and not isinstance(
                    getattr(one, "value", None), int) for one in (left, right)):  # fmt: skip
                    yield Fault(path, place(left, end=True), place(right), sign, "arithmetic")
            case ast.IfExp(test=test):
                yield instead(test, "True", "condition")


def _masked(found: re.Match[str]) -> str:
    """Jinja as a name of the same length, or as nothing where it is no expression."""
    text = found[0]
    return "j" + "_" * (len(text) - 1) if text.startswith("{{") else " " * len(text)


def _in_sql(path: Path, content: str) -> Iterator[Fault]:
    tokens = Tokenizer(dialect="duckdb").tokenize(_JINJA.sub(_masked, content))
    for place, token in enumerate(tokens):
        word = token.text.lower()
        if token.token_type is TokenType.ASC and _is_told_apart_by(tokens, place):
            continue
        if token.token_type in _SQL_OTHER and token.token_type is not TokenType.AND:
            yield _token(path, token, _SQL_OTHER[token.token_type], "comparison, order or join")
        elif word in _SQL_WORDS and tokens[place + 1 : place + 2] and tokens[place + 1].text == "(":
            yield _token(path, token, _SQL_WORDS[word], "aggregate")
        elif (
            token.token_type is TokenType.NUMBER
            and token.text.isdigit()
            and not _digits_of_a_type(tokens, place)
        ):
            yield _token(path, token, str(int(token.text) + 1), "number")
        if token.token_type in (TokenType.AND, TokenType.WHERE, TokenType.ON):
            end = _end_of_condition(tokens, place + 1)
            text = "and 1 = 1" if token.token_type is TokenType.AND else f"{token.text} 1 = 1"
            yield Fault(path, token.start, tokens[end - 1].end + 1, text, "dropped condition")
        if token.token_type is TokenType.PARTITION_BY:
            yield from _partition(path, tokens, place)
        if word == "coalesce" and tokens[place + 1].text == "(":
            yield from _coalesce(path, content, tokens, place)


def _digits_of_a_type(tokens: list[Token], place: int) -> bool:
    """`numeric(18, 2)`: the contract says it again."""
    before = [one.text.lower() for one in tokens[max(place - 4, 0) : place]]
    return before[-2:] == ["numeric", "("] or (before[-1:] == [","] and before[:-2][-2:] == ["numeric", "("])


def _is_told_apart_by(tokens: list[Token], place: int) -> bool:
    """The columns of `distinct on (…)` come first in the order, and which way round makes no difference."""
    words = [one.text.lower() for one in tokens[:place]]
    starts = [number for number in range(len(words) - 1) if words[number : number + 2] == ["distinct", "on"]]
    return bool(starts) and words[-1] in words[starts[-1] : words.index(")", starts[-1])]


def _token(path: Path, token: Token, text: str, kind: str) -> Fault:
    return Fault(path, token.start, token.end + 1, text, kind)


def _end_of_condition(tokens: list[Token], start: int) -> int:
    depth = 0
    for place in range(start, len(tokens)):
        kind = tokens[place].token_type
        if depth == 0 and kind in _ENDS and place > start:
            return place
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
    return len(tokens)


def _partition(path: Path, tokens: list[Token], place: int) -> Iterator[Fault]:
    """The first of several columns left out."""
    end = _end_of_condition(tokens, place + 1)
    if end < len(tokens) and tokens[end].token_type is TokenType.COMMA:
        yield Fault(path, tokens[place + 1].start, tokens[end].end + 1, "", "partition")


def _coalesce(path: Path, content: str, tokens: list[Token], place: int) -> Iterator[Fault]:
    comma = _end_of_condition(tokens, place + 2)
    depth, end = 1, place + 2
    while end < len(tokens) and depth:
        depth += (tokens[end].token_type is TokenType.L_PAREN) - (tokens[end].token_type is TokenType.R_PAREN)
        end += 1
    if comma < end and tokens[comma].token_type is TokenType.COMMA:
        first = content[tokens[place + 2].start : tokens[comma - 1].end + 1]
        yield Fault(path, tokens[place].start, tokens[end - 1].end + 1, first, "coalesce")
