"""Reads the schema files of this folder into types, fields and rules. The language is explained in
README.md; this module is the only one that knows it."""

import dataclasses
import pathlib

import yaml

HERE = pathlib.Path(__file__).resolve().parent
SCALARS = {"string", "name", "hexId", "int", "long", "number", "bool", "quantity", "duration", "time",
           "json"}
# Words that CEL reserves: a field of that name is written with underscores around it.
CEL_RESERVED = {"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for",
                "function", "if", "import", "let", "loop", "package", "namespace", "return", "var",
                "void", "while"}


@dataclasses.dataclass
class Rule:
    rule: str
    message: str
    field: str = ""
    forbidden: bool = False

    def is_transition(self):
        return "oldSelf" in self.rule


@dataclasses.dataclass
class Field:
    name: str
    owner: str
    spec: dict

    def __getattr__(self, key):
        return self.spec.get(key)

    def always_there(self):
        return bool(self.required) or "default" in self.spec

    def cel(self):
        return f"__{self.name}__" if self.name in CEL_RESERVED else self.name


@dataclasses.dataclass
class Type:
    name: str
    source: str
    doc: str
    enum: list = None
    base: str = ""
    fields: list = dataclasses.field(default_factory=list)
    rules: list = dataclasses.field(default_factory=list)
    in_schema: bool = True


@dataclasses.dataclass
class Kind:
    kind: str
    plural: str
    short: str
    doc: str
    spec: str
    status: str
    source: str
    rules: list
    columns: list
    scale: dict = None


class Api:
    """All types by name, kinds in order, and the group."""

    def __init__(self):
        settings = yaml.safe_load((HERE / "group.yaml").read_text())
        self.group, self.version = settings["group"], settings["version"]
        self.manager, self.categories = settings["manager"], settings["categories"]
        self.sources, self.types, self.kinds = settings["sources"], {}, []
        for source in self.sources:
            self._read(source, yaml.safe_load((HERE / f"{source}.yaml").read_text()))
        for one in self.types.values():
            one.rules = [*self._rules_of_fields(one), *one.rules]

    def _read(self, source, text):
        for kind in text.get("kinds", [text] if "kind" in text else []):
            rules = [Rule(**rule) for rule in kind.get("rules", [])]
            self.kinds.append(Kind(kind["kind"], kind["plural"], kind["short"], kind["doc"],
                                   kind["spec"], kind["status"], source, rules, kind["columns"],
                                   kind.get("scale")))
        for name, spec in text.get("types", {}).items():
            self._add(name, source, spec)

    def _add(self, name, source, spec):
        if name in self.types:
            raise ValueError(f"{name} is defined twice")
        one = Type(name, source, spec["doc"], spec.get("enum"), spec.get("extends", ""),
                   in_schema=spec.get("schema", True))
        for field, attributes in spec.get("fields", {}).items():
            if attributes["type"] == "enum":  # an enum written in place is named after its field
                enum = name + field[0].upper() + field[1:]
                self._add(enum, source, {"enum": attributes.pop("values"), "doc": attributes["doc"]})
                attributes["type"] = enum
            one.fields.append(Field(field, name, attributes))
        if spec.get("immutable"):
            one.rules.append(Rule("self == oldSelf", "the spec cannot be changed; make another object"))
        one.rules += [Rule(**rule) for rule in spec.get("rules", [])]
        self.types[name] = one

    def all_fields(self, one):
        inherited = self.all_fields(self.types[one.base]) if one.base else []
        return [*inherited, *one.fields]

    def all_rules(self, one):
        inherited = self.all_rules(self.types[one.base]) if one.base else []
        return [*inherited, *one.rules]

    def enum_of(self, field_type):
        one = self.types.get(field_type)
        return one.enum if one else None

    @staticmethod
    def _rules_of_fields(one):
        for field in one.fields:
            if field.later:
                yield later_rule(field)
            if field.immutable or field.frozen:
                yield unchanged_rule(field)


def later_rule(field):
    """Refuses a field, or values of it, whose behaviour comes with a later version."""
    name, later = field.cel(), field.later
    if isinstance(later, str):
        return Rule(f"!has(self.{name})", f"{field.name} is not supported yet, leave it out: {later}",
                    field.name, forbidden=True)
    only = later["only"] if isinstance(later["only"], list) else [later["only"]]
    shown = " or ".join(text(value) for value in only)
    test = " || ".join(f"self.{name} == {cel_value(value)}" for value in only)
    return Rule(test, f"{field.name} must be {shown} for now: {later['why']}", field.name,
                forbidden=True)


def unchanged_rule(field):
    """On the parent: a rule on an optional field does not run when the field comes or goes."""
    name = field.cel()
    same = f"self.{name} == oldSelf.{name}"
    if not field.always_there():
        same = f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || {same})"
    why = (f"{field.name} cannot be changed yet: {field.frozen}" if field.frozen else
           f"{field.name} cannot be changed after creation")
    return Rule(same, why, field.name, forbidden=True)


def text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def cel_value(value):
    return f"'{value}'" if isinstance(value, str) else text(value)
