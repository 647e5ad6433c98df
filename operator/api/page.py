"""The schema as docs/api.md."""

from schema import SCALARS, text

HEAD = """# Custom resources

Group `{group}`, version `{version}`. Generated from `operator/api` by `operator/api/generate.py`; do
not edit. Use the full plural with kubectl (`kubectl get etcdclusters.{group}`): other operators
define an `etcdclusters` too.

Fields marked **later** are part of the schema and refused by the API server with a sentence until
the operator can do what they say. **Fixed** fields cannot be changed after creation, *fixed for now*
ones come to be changeable later.
"""


def anchor(name):
    return f"[{name}](#{name.lower()})"


class Page:
    def __init__(self, api):
        self.api = api

    def type_text(self, spec):
        kind = spec["type"]
        if kind == "list":
            return f"list of {self.type_text(spec['items'])}"
        if kind == "map":
            return f"map to {self.type_text(spec['values'])}"
        enum = self.api.enum_of(kind)
        if enum:
            return ", ".join(f"`{value}`" for value in enum)
        return kind if kind in SCALARS else anchor(kind)

    @staticmethod
    def default_text(field):
        if field.required:
            return "required"
        default = field.spec.get("default")
        if default is None or default == {}:
            return ""
        if isinstance(default, (dict, list)):
            return "see below" if isinstance(default, list) else "`" + ", ".join(
                f"{key}: {value}" for part in default.values() for key, value in part.items()) + "`"
        return f"`{text(default)}`" if default != "" else "empty"

    @staticmethod
    def remark(field):
        marks = []
        if field.later:
            marks.append("**later**" if isinstance(field.later, str) else
                         f"others **later**")
        if field.immutable:
            marks.append("**fixed**")
        if field.frozen:
            marks.append("*fixed for now*")
        return (" " + ", ".join(marks) + ".") if marks else ""

    def table(self, name):
        one = self.api.types[name]
        lines = [f"### {name}", "", one.doc, "", "| Field | Type | Default | |", "|---|---|---|---|"]
        for field in self.api.all_fields(one):
            doc = field.doc.replace("|", "\\|") + self.remark(field)
            lines.append(f"| `{field.name}` | {self.type_text(field.spec)} | "
                         f"{self.default_text(field)} | {doc} |")
        rules = [rule.message for rule in self.api.all_rules(one)
                 if " yet" not in rule.message and "after creation" not in rule.message]
        if rules:
            lines += ["", "Refused otherwise:"] + [f"- {rule}" for rule in dict.fromkeys(rules)]
        return "\n".join(lines) + "\n"

    def reachable(self, name, seen):
        for field in self.api.all_fields(self.api.types[name]):
            spec = field.spec
            while spec["type"] in ("list", "map"):
                spec = spec.get("items") or spec.get("values")
            kind = spec["type"]
            if kind in SCALARS or self.api.enum_of(kind) or kind in seen:
                continue
            seen.append(kind)
            self.reachable(kind, seen)
        return seen

    def render(self):
        parts, shown = [HEAD.format(group=self.api.group, version=self.api.version)], []
        for kind in self.api.kinds:
            parts.append(f"## {kind.kind}\n\n{kind.doc} Plural `{kind.plural}`, short `{kind.short}`."
                         + (" Serves `/scale`." if kind.scale else "") + "\n")
            if kind.rules:
                parts.append("Refused otherwise:\n" + "\n".join(f"- {r.message}" for r in kind.rules) + "\n")
            for root in (kind.spec, kind.status):
                for name in [root, *self.reachable(root, [])]:
                    if name not in shown:
                        shown.append(name)
                        parts.append(self.table(name))
        return "\n".join(parts)
