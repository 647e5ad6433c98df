"""The schema as C++: for each source file x.yaml a header model/x.h with plain structs, the table of
their fields in model/x_fields.h, and for files with kinds the entry points in model/x.cc."""

import shutil
import subprocess

from schema import SCALARS

TYPES = {"string": "std::string", "name": "std::string", "hexId": "std::string", "int": "int32_t",
         "long": "int64_t", "number": "double", "bool": "bool", "quantity": "Quantity",
         "duration": "Duration", "time": "Time", "json": "JsonText"}
NOTE = "// Generated from operator/api/{source}.yaml by operator/api/generate.py; do not edit.\n"


def enumerator(value):
    return "k" + value[0].upper() + value[1:]


# Words of C++ that are names of fields get an underscore.
CPP_RESERVED = {"namespace", "operator", "default", "template", "class", "new", "delete"}


def snake(name):
    if name in CPP_RESERVED:
        return name + "_"
    return "".join("_" + c.lower() if c.isupper() and i and not name[i - 1].isupper() else c.lower()
                   for i, c in enumerate(name))


def literal(value):
    return f'"{value}"'


class CppWriter:
    def __init__(self, api):
        self.api = api

    def type_of(self, spec):
        kind = spec["type"]
        if kind == "list":
            return f"std::vector<{self.type_of(spec['items'])}>"
        if kind == "map":
            return f"std::map<std::string, {self.type_of(spec['values'])}>"
        return TYPES.get(kind, kind)

    def member(self, field):
        kind, cpp = field.type, self.type_of(field.spec)
        name = snake(field.name)
        default = field.spec.get("default")
        if kind in ("list", "map"):
            return f"{cpp} {name} = {{}};"  # so that designated initialisers may leave it out
        if kind == "json" or not field.always_there() and field.owner != "ObjectMeta":
            return f"std::optional<{cpp}> {name} = {{}};"
        if self.api.enum_of(kind):
            return f"{cpp} {name} = {cpp}::{enumerator(default)};" if default else f"{cpp} {name} = {{}};"
        if isinstance(default, bool):
            return f"{cpp} {name} = {str(default).lower()};"
        if isinstance(default, (int, float)):
            return f"{cpp} {name} = {default};"
        if isinstance(default, str):
            return f'{cpp} {name} = "{default}";'
        if kind in SCALARS:
            return f"{cpp} {name} = {{}};"
        return f"{cpp} {name};"  # with = {} GCC 12 takes parts of structs for uninitialized

    def in_order(self, source):
        """Types of a source such that each stands after those it holds."""
        own = {name: one for name, one in self.api.types.items() if one.source == source}
        done = []

        def add(name):
            if name in done or name not in own:
                return
            one = own[name]
            if one.base:
                add(one.base)
            for field in one.fields:
                spec = field.spec
                while spec["type"] in ("list", "map"):
                    spec = spec.get("items") or spec.get("values")
                add(spec["type"])
            done.append(name)

        for name in own:
            add(name)
        return [own[name] for name in done]

    def needs(self, source):
        """Other sources whose types this one holds."""
        found = set()
        for one in self.in_order(source):
            specs = [field.spec for field in one.fields]
            if one.base:
                found.add(self.api.types[one.base].source)
            for spec in specs:
                while spec["type"] in ("list", "map"):
                    spec = spec.get("items") or spec.get("values")
                if spec["type"] not in SCALARS:
                    found.add(self.api.types[spec["type"]].source)
        for kind in self.kinds(source):
            found |= {"shared", self.api.types[kind.spec].source, self.api.types[kind.status].source}
        return sorted(found - {source})

    def kinds(self, source):
        return [kind for kind in self.api.kinds if kind.source == source]

    def header(self, source):
        lines = [NOTE.format(source=source), "#pragma once\n",
                 "#include <cstdint>\n#include <map>\n#include <optional>\n#include <string>",
                 "#include <string_view>\n#include <vector>\n"]
        kinds = self.kinds(source)
        if kinds:
            lines.append("#include <absl/status/statusor.h>\n#include <nlohmann/json_fwd.hpp>\n")
        lines += [f'#include "operator/model/{other}.h"' for other in self.needs(source)]
        lines += ['#include "operator/model/values.h"\n', "namespace etcd::model {\n"]
        for one in self.in_order(source):
            lines += self.enum(one) if one.enum else self.struct(one)
        for kind in kinds:
            lines += self.kind_struct(kind)
        lines.append("}  // namespace etcd::model\n")
        return "\n".join(lines)

    @staticmethod
    def enum(one):
        values = ", ".join(enumerator(value) for value in one.enum)
        return [f"// {one.doc}", f"enum class {one.name} {{ {values} }};",
                f"std::string_view ToText({one.name} value);\n"]

    def struct(self, one):
        base = f" : {one.base}" if one.base else ""
        lines = [f"// {one.doc}", f"struct {one.name}{base} {{"]
        lines += [self.member(field) for field in one.fields]
        if not one.base:
            lines.append("UnknownFields unknown = {};")
        return lines + [f"bool operator==(const {one.name}&) const = default;", "};\n"]

    def kind_struct(self, kind):
        return [f"// {kind.doc}", f"struct {kind.kind} {{",
                f'static constexpr std::string_view kKind = "{kind.kind}";',
                f'static constexpr std::string_view kPlural = "{kind.plural}";',
                "ObjectMeta metadata;", f"{kind.spec} spec;", f"{kind.status} status;",
                "UnknownFields unknown = {};", f"bool operator==(const {kind.kind}&) const = default;",
                "};", "// Invalid argument with the path of the field that is not as the schema says.",
                f"absl::StatusOr<{kind.kind}> Parse{kind.kind}(const nlohmann::json& object);",
                f"nlohmann::json ToJson(const {kind.kind}& object);",
                f"nlohmann::json ToJson(const {kind.spec}& spec);",
                f"nlohmann::json ToJson(const {kind.status}& status);\n"]

    def fields(self, source):
        lines = [NOTE.format(source=source), "#pragma once\n", '#include "operator/model/codec.h"',
                 f'#include "operator/model/{source}.h"']
        lines += [f'#include "operator/model/{other}_fields.h"' for other in self.needs(source)]
        lines.append("\nnamespace etcd::model {\n")
        for one in self.in_order(source):
            lines += self.enum_names(one) if one.enum else self.visit(one)
        lines.append("}  // namespace etcd::model\n")
        return "\n".join(lines)

    @staticmethod
    def enum_names(one):
        names = ", ".join(literal(value) for value in one.enum)
        return ["template <>", f"struct EnumNames<{one.name}> {{",
                f"static constexpr std::string_view kNames[] = {{{names}}};", "};\n"]

    @staticmethod
    def visit(one):
        lines = ["template <>", f"struct Fields<{one.name}> {{",
                 "template <class Archive, class Self>",
                 "static void Visit(Archive& archive, Self& self) {"]
        if one.base:
            lines.append(f"Fields<{one.base}>::Visit(archive, self);")
        lines += [f'archive.Field("{field.name}", self.{snake(field.name)});' for field in one.fields]
        return lines + ["}", "};\n"]

    def implementation(self, source):
        lines = [NOTE.format(source=source), f'#include "operator/model/{source}.h"\n',
                 "#include <nlohmann/json.hpp>\n", f'#include "operator/model/{source}_fields.h"\n',
                 "namespace etcd::model {\n"]
        for one in self.in_order(source):
            if one.enum:
                lines.append(f"std::string_view ToText({one.name} value) {{ return NameOf(value); }}\n")
        for kind in self.kinds(source):
            lines += [f"absl::StatusOr<{kind.kind}> Parse{kind.kind}(const nlohmann::json& object) {{",
                      f"return ParseObject<{kind.kind}>(object);", "}\n",
                      f"nlohmann::json ToJson(const {kind.kind}& object) {{ return WriteObject(object); }}",
                      f"nlohmann::json ToJson(const {kind.spec}& spec) {{ return Writer::Object(spec); }}",
                      f"nlohmann::json ToJson(const {kind.status}& status) {{ return Writer::Object(status); }}\n"]
        lines.append("}  // namespace etcd::model\n")
        return "\n".join(lines)

    def group(self):
        api = self.api
        return "\n".join([
            NOTE.format(source="group"), "#pragma once\n", "#include <string_view>\n",
            "namespace etcd::model {\n", "// Names in Kubernetes, each only here.",
            f'inline constexpr std::string_view kGroup = "{api.group}";',
            f'inline constexpr std::string_view kVersion = "{api.version}";',
            f'inline constexpr std::string_view kApiVersion = "{api.group}/{api.version}";',
            "// Field manager, value of managed-by, and name in events.",
            f'inline constexpr std::string_view kManager = "{api.manager}";\n',
            "}  // namespace etcd::model\n"])


def formatted(files, folder):
    """The files in the repository's format; None when clang-format is not installed."""
    tool = shutil.which("clang-format")
    if not tool:
        return None
    return {name: subprocess.run([tool, f"--assume-filename={folder / name}"], input=content, text=True,
                                 capture_output=True, check=True).stdout
            for name, content in files.items()}


def files(api):
    writer = CppWriter(api)
    result = {"group.h": writer.group()}
    for source in api.sources:
        result[f"{source}.h"] = writer.header(source)
        result[f"{source}_fields.h"] = writer.fields(source)
        if writer.kinds(source) or any(one.enum for one in writer.in_order(source)):
            result[f"{source}.cc"] = writer.implementation(source)
    return result
