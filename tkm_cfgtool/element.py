# SPDX-License-Identifier: GPL-2.0-or-later
"""A small tree of XML elements that know their lines, for input that nobody trusts.

A document type is refused outright, and with it every entity: external ones and bombs alike.
"""

from xml.parsers import expat

from tkm.errors import ConfigError

_DEEPEST = 16
_ENCODINGS = ("UTF-8", "UTF-16", "US-ASCII", "ISO-8859-1")
"""What expat reads by itself. Python would lend it codecs for others, and they raise what they
like.
"""


class Element:
    """An XML element."""

    def __init__(self, name: str, attributes: dict[str, str], line: int) -> None:
        self.name = name
        self.attributes = attributes
        self.line = line
        self.children: list[Element] = []
        self.text = ""
        self.text_line = line
        self._taken: set[str] = set()
        self._attributes_taken: set[str] = set()
        self._text_taken = False

    def fault(self, reason: str, line: int | None = None) -> ConfigError:
        """An error at this element, or at a line within it."""
        return ConfigError(f"line {line or self.line}: <{self.name}>: {reason}")

    def all(self, name: str) -> list["Element"]:
        """The children of that name."""
        self._taken.add(name)
        return [child for child in self.children if child.name == name]

    def find(self, name: str) -> "Element | None":
        """The child of that name, if there is one.

        :raises ConfigError: there are several.
        """
        found = self.all(name)
        if len(found) > 1:
            raise found[1].fault("there is one already")
        return found[0] if found else None

    def one(self, name: str) -> "Element":
        """The child of that name.

        :raises ConfigError: there is not exactly one.
        """
        child = self.find(name)
        if child is None:
            raise self.fault(f"<{name}> is missing")
        return child

    def content(self) -> str:
        """The text.

        :raises ConfigError: there is none.
        """
        self._text_taken = True
        text = self.text.strip()
        if not text:
            raise self.fault("it is empty")
        return text

    def number(self) -> int:
        """The text as a whole number."""
        return self._number(self.content())

    def truth(self) -> bool:
        """The text as ``true`` or ``false``."""
        text = self.content()
        if text not in ("true", "false"):
            raise self.fault(f"'{text}' is neither true nor false")
        return text == "true"

    def attribute(self, name: str) -> int:
        """An attribute as a whole number.

        :raises ConfigError: it is missing, or not one.
        """
        self._attributes_taken.add(name)
        if name not in self.attributes:
            raise self.fault(f"attribute {name} is missing")
        return self._number(self.attributes[name])

    def _number(self, text: str) -> int:
        if not text.isascii() or not text.isdecimal() or len(text) > 10:
            raise self.fault(f"'{text}' is not a whole number")
        return int(text)

    def check_all_read(self) -> None:
        """Nothing in here may be read over.

        :raises ConfigError: there is an attribute, text or an element that nobody has asked for.
        """
        for name in self.attributes:
            if name not in self._attributes_taken:
                raise self.fault(f"attribute {name} is not known here")
        if self.text.strip() and not self._text_taken:
            raise self.fault("text does not belong here", self.text_line)
        for child in self.children:
            if child.name not in self._taken:
                raise child.fault("this element is not known here")
            child.check_all_read()


def parse(octets: bytes) -> Element:
    """The root element of a document.

    :raises ConfigError: it is not well-formed, or has a document type.
    """
    parser = expat.ParserCreate()
    open_elements = [Element("document", {}, 0)]

    def start(name: str, attributes: dict[str, str]) -> None:
        element = Element(name, attributes, parser.CurrentLineNumber)
        open_elements[-1].children.append(element)
        open_elements.append(element)
        if len(open_elements) > _DEEPEST:
            raise element.fault("elements are nested too deep")

    def end(_name: str) -> None:
        open_elements.pop()

    def text(data: str) -> None:
        element = open_elements[-1]
        if not element.text.strip():
            element.text_line = parser.CurrentLineNumber
        element.text += data

    def declaration(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding and encoding.upper() not in _ENCODINGS:
            raise ConfigError(
                f"line {parser.CurrentLineNumber}: encoding '{encoding}' is not accepted: "
                f"write UTF-8"
            )

    def refuse(*_: object) -> None:
        raise ConfigError(f"line {parser.CurrentLineNumber}: a document type is not accepted")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    parser.XmlDeclHandler = declaration
    document = open_elements[0]
    try:
        parser.Parse(octets, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise ConfigError(f"line {error.lineno}, column {error.offset + 1}: {reason}") from error
    except (ValueError, LookupError) as error:
        raise ConfigError(f"line {parser.CurrentLineNumber}: {error}") from error
    return document.children[0]
