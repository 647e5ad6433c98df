"""The schema as CustomResourceDefinitions."""

import yaml

from schema import SCALARS

QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
DURATION = r"^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$"
NAME = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
ANYTHING = {"x-kubernetes-preserve-unknown-fields": True}
SHAPES = {
    "string": {"type": "string", "maxLength": 1024},
    "name": {"type": "string", "minLength": 1, "maxLength": 253, "pattern": NAME},
    "hexId": {"type": "string", "maxLength": 16, "pattern": "^[0-9a-f]{1,16}$"},
    "int": {"type": "integer", "format": "int32"},
    "long": {"type": "integer", "format": "int64"},
    "number": {"type": "number"},
    "bool": {"type": "boolean"},
    "quantity": {"anyOf": [{"type": "integer"}, {"type": "string"}], "maxLength": 32,
                 "pattern": QUANTITY, "x-kubernetes-int-or-string": True},
    "duration": {"type": "string", "maxLength": 32, "pattern": DURATION},
    "time": {"type": "string", "maxLength": 40, "format": "date-time"},
    "json": {"type": "object", **ANYTHING},
}
BOUNDS = {"min": "minimum", "max": "maximum", "minLength": "minLength", "maxLength": "maxLength",
          "pattern": "pattern"}


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def dump(value):
    return yaml.dump(value, Dumper=Dumper, sort_keys=False, width=100, allow_unicode=True)


def validation(rule):
    entry = {"rule": rule.rule, "message": rule.message}
    if rule.forbidden:
        entry["reason"] = "FieldValueForbidden"
    if rule.field:
        entry["fieldPath"] = f".{rule.field}"
    return entry


class SchemaWriter:
    def __init__(self, api):
        self.api = api

    def of_type(self, name, transitions=True):
        one = self.api.types[name]
        if one.enum:
            return {"type": "string", "enum": list(one.enum)}
        fields = self.api.all_fields(one)
        schema = {"type": "object", "description": one.doc}
        required = [field.name for field in fields if field.required]
        if required:
            schema["required"] = required
        schema["properties"] = {field.name: self.of_field(field, transitions) for field in fields}
        rules = [validation(rule) for rule in self.api.all_rules(one)
                 if transitions or not rule.is_transition()]
        if rules:
            schema["x-kubernetes-validations"] = rules
        return schema

    def of_field(self, field, transitions=True):
        schema = self.of_value(field.spec, transitions and not field.noTransitions)
        schema = {"description": field.doc, **{k: v for k, v in schema.items() if k != "description"}}
        if "default" in field.spec:
            schema["default"] = self.with_defaults(field.spec, field.spec["default"])
        return schema

    def with_defaults(self, spec, value):
        """A default with the defaults inside it: rules are tried on it as it stands."""
        kind = spec["type"]
        if kind == "list":
            return [self.with_defaults(spec["items"], item) for item in value]
        one = self.api.types.get(kind)
        if not isinstance(value, dict) or one is None:
            return value
        result = dict(value)
        for field in self.api.all_fields(one):
            if field.name in value or "default" in field.spec:
                given = value.get(field.name, field.spec.get("default"))
                result[field.name] = self.with_defaults(field.spec, given)
        return result

    def of_value(self, spec, transitions=True):
        kind = spec["type"]
        if kind == "list":
            schema = {"type": "array", "maxItems": spec.get("maxItems", 64),
                      "items": self.of_value(spec["items"], transitions)}
            if "minItems" in spec:
                schema["minItems"] = spec["minItems"]
            if "listKey" in spec:
                schema["x-kubernetes-list-type"] = "map"
                schema["x-kubernetes-list-map-keys"] = [spec["listKey"]]
            else:
                schema["x-kubernetes-list-type"] = "atomic"
            return schema
        if kind == "map":
            return {"type": "object", "maxProperties": spec.get("maxProperties", 64),
                    "additionalProperties": self.of_value(spec["values"], transitions)}
        if kind not in SCALARS:
            return self.of_type(kind, transitions)
        schema = dict(SHAPES[kind])
        schema.update({BOUNDS[key]: spec[key] for key in BOUNDS if key in spec})
        return schema


def column(entry):
    result = {"name": entry["name"], "type": entry["type"], "jsonPath": entry["path"]}
    if entry.get("wide"):
        result["priority"] = 1
    return result


def definition(api, kind):
    writer = SchemaWriter(api)
    schema = {"type": "object", "description": kind.doc, "required": ["spec"], "properties": {
        "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
        "spec": writer.of_type(kind.spec), "status": writer.of_type(kind.status)}}
    if kind.rules:
        schema["x-kubernetes-validations"] = [validation(rule) for rule in kind.rules]
    subresources = {"status": {}}
    if kind.scale:
        subresources["scale"] = {"specReplicasPath": kind.scale["spec"],
                                 "statusReplicasPath": kind.scale["status"],
                                 "labelSelectorPath": kind.scale["selector"]}
    names = {"plural": kind.plural, "singular": kind.kind.lower(), "kind": kind.kind,
             "listKind": f"{kind.kind}List", "shortNames": [kind.short],
             "categories": api.categories}
    version = {"name": api.version, "served": True, "storage": True,
               "additionalPrinterColumns": [column(entry) for entry in kind.columns],
               "subresources": subresources, "schema": {"openAPIV3Schema": schema}}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{kind.plural}.{api.group}"},
            "spec": {"group": api.group, "scope": "Namespaced", "names": names,
                     "conversion": {"strategy": "None"}, "versions": [version]}}
