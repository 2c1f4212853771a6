"""Header values read by hand: what sipmessage would decode and escape anew is kept letter by letter.

A Contact, a route or a tag must go back to its owner unchanged (RFC 3261 12.1); sipmessage percent-encodes parameters when it writes
them, so a `;received=` or `+sip.instance` would not survive. These also never raise, and cost a tenth.
"""


def split_values(line: str) -> list[str]:
    """The comma-separated values of one header line; commas in quotes and angle brackets do not count (RFC 3261 7.3.1)."""
    if "," not in line:
        only = line.strip()
        return [only] if only else []
    values: list[str] = []
    start, quoted, angled, escaped = 0, False, False, False
    for index, letter in enumerate(line):
        if quoted:
            quoted = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            quoted = True
        elif letter == "<":
            angled = True
        elif letter == ">":
            angled = False
        elif letter == "," and not angled:
            values.append(line[start:index].strip())
            start = index + 1
    values.append(line[start:].strip())
    return [value for value in values if value]


def split_name_addr(value: str) -> tuple[str, str, str]:
    """Display name (unquoted), URI, and the parameters of the header with their first ";" (RFC 3261 20.10).

    Without angle brackets everything from the first ";" belongs to the header, not to the URI.
    """
    value = value.strip()
    name = ""
    if value.startswith('"'):
        end = 1
        while end < len(value) and value[end] != '"':
            end += 2 if value[end] == "\\" else 1
        name, value = value[1:end].replace('\\"', '"').replace("\\\\", "\\"), value[end + 1 :]
    before, bracket, rest = value.partition("<")
    if not bracket:
        uri, semicolon, parameters = value.partition(";")
        return name, uri.strip(), semicolon + parameters
    uri, _, parameters = rest.partition(">")
    return name or before.strip(), uri.strip(), parameters.strip()


def parameter(parameters: str, name: str) -> str | None:
    """One of ";name=value;flag" parameters, the value as written; "" for a flag, None where it is absent. Names ignore case."""
    at = parameters.find(f";{name}=")
    if at >= 0:
        return parameters[at + len(name) + 2 :].partition(";")[0].strip(' \t"')
    lowered = parameters.lower()
    if name not in lowered:
        return None
    at = lowered.find(";" + name + "=")
    if at >= 0:
        return parameters[at + len(name) + 2 :].partition(";")[0].strip(' \t"')
    for part in parameters.split(";")[1:]:
        found, _, value = part.partition("=")
        if found.strip().lower() == name:
            return value.strip(' \t"')
    return None


def tag_in(value: str) -> str:
    """The tag of a From or To value, "" where it has none."""
    at = value.rfind(">")
    parameters = value[at + 1 :] if at >= 0 else value[max(value.find(";"), 0) :]
    return parameter(parameters, "tag") or ""


def uri_in(value: str) -> str:
    """The URI of a name-addr or addr-spec, as written."""
    return split_name_addr(value)[1]
