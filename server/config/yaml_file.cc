#include <algorithm>
#include <cctype>
#include <optional>
#include <yaml-cpp/yaml.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "server/base/status.h"
#include "server/config/flag_value.h"
#include "server/config/go_values.h"
#include "server/config/sources.h"

// The configuration file. Go's etcd turns YAML into JSON and JSON into a struct; the kinds and the
// messages of that chain are what operators see, so they are kept.
namespace etcd::config {
namespace {

enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };

absl::Status Invalid(std::string_view message) {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, message);
}

std::string Lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool IsNumber(const std::string& text) {
  if (ParseGoInt(text, 64).ok() || ParseGoUint(text, 64).ok()) return true;
  if (text.empty() || text.find_first_not_of("0123456789.eE+-") != std::string::npos) return false;
  char* end = nullptr;
  std::strtod(text.c_str(), &end);
  return *end == '\0';
}

Kind KindOf(const YAML::Node& node) {
  if (node.IsNull() || !node.IsDefined()) return Kind::kNull;
  if (node.IsSequence()) return Kind::kArray;
  if (node.IsMap()) return Kind::kObject;
  if (node.Tag() == "!") return Kind::kString;  // quoted
  const std::string word = Lower(node.Scalar());
  if (word.empty() || word == "~" || word == "null") return Kind::kNull;
  for (const char* truth : {"true", "false", "yes", "no", "on", "off"}) {
    if (word == truth) return Kind::kBool;
  }
  return IsNumber(node.Scalar()) ? Kind::kNumber : Kind::kString;
}

std::string_view KindName(Kind kind) {
  constexpr std::string_view kNames[] = {"null", "bool", "number", "string", "array", "object"};
  return kNames[static_cast<std::size_t>(kind)];
}

absl::Status TypeError(std::string_view kind, std::string_view key, std::string_view type) {
  return Invalid(
      fmt::format("error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into "
                  "Go struct field configYAML.{} of type {}",
                  kind, key, type));
}

// The node as the text that SetFlag reads, or the type error.
absl::StatusOr<std::string> TextOf(const FlagRow& row, std::string_view key,
                                   const YAML::Node& node) {
  const std::string_view type = GoTypeOf(row);
  const Kind kind = KindOf(node);
  const bool wants_number = type == "int" || type == "int64" || type == "uint" ||
                            type == "uint64" || type == "uint32" || type == "time.Duration";
  if (row.gate != Gate::kCount || type == "bool") {
    if (kind != Kind::kBool) return TypeError(KindName(kind), key, "bool");
    const std::string word = Lower(node.Scalar());
    return std::string(word == "true" || word == "yes" || word == "on" ? "true" : "false");
  }
  if (type == "[]string") {
    if (kind != Kind::kArray) return TypeError(KindName(kind), key, type);
    std::vector<std::string> items;
    for (const YAML::Node& item : node) items.push_back(item.Scalar());
    return fmt::format("{}", fmt::join(items, ","));
  }
  if (kind != (wants_number ? Kind::kNumber : Kind::kString)) {
    return TypeError(KindName(kind), key, type);
  }
  if (!wants_number) return node.Scalar();
  const std::string& number = node.Scalar();
  const bool is_unsigned = type.starts_with("uint");
  const bool fits = is_unsigned ? ParseGoUint(number, type == "uint32" ? 32 : 64).ok()
                                : ParseGoInt(number, 64).ok();
  if (!fits) return TypeError("number " + number, key, type);
  return type == "time.Duration" ? number + "ns" : number;
}

// The rows of a nested section: its keys with a prefix are flags.
struct Section {
  std::string_view name;
  std::string_view prefix;
};
constexpr Section kSections[] = {{"socket-options", "socket-"},
                                 {"client-transport-security", ""},
                                 {"peer-transport-security", "peer-"}};

// Keys of the sections that are not prefix + flag.
std::string_view FlagOfSectionKey(std::string_view section, std::string_view key) {
  if (section == "client-transport-security" && key == "allowed-hostname") {
    return "client-cert-allowed-hostname";
  }
  if (section == "peer-transport-security" && key == "allowed-cn") return "peer-cert-allowed-cn";
  if (section == "peer-transport-security" && key == "allowed-hostname") {
    return "peer-cert-allowed-hostname";
  }
  return {};
}

absl::Status SetFromFile(const FlagRow& row, std::string_view key, const YAML::Node& node,
                         Draft& draft) {
  if (KindOf(node) == Kind::kNull || row.support == Support::kIgnored) return absl::OkStatus();
  // Lists of names that are one string on the command line.
  if (KindOf(node) == Kind::kArray && row.name.find("-allowed-") != std::string_view::npos) {
    draft.set.insert(row.name);
    return SetFlag(row, node.size() == 0 ? "" : node[0].Scalar(), draft.config);
  }
  ASSIGN_OR_RETURN(const std::string text, TextOf(row, key, node));
  const bool keeps_default = text.empty() && (row.name == "cors" || row.name == "host-whitelist" ||
                                              row.name == "initial-cluster-state");
  if (keeps_default) return absl::OkStatus();
  if (row.name == "initial-cluster-state" && text != "new" && text != "existing") {
    return Invalid(fmt::format("unexpected clusterState \"{}\"", text));
  }
  draft.set.insert(row.name);
  if (row.name == "v2-deprecation") return absl::OkStatus();  // any text; it has no effect
  absl::Status set = SetFlag(row, text, draft.config);
  if (set.ok() || !std::holds_alternative<UrlList Config::*>(row.member)) return set;
  return base::MakeStatus(
      absl::StatusCode::kAborted,
      fmt::format("unexpected error setting up {}: {}", key, base::MessageOf(set)));
}

absl::Status ReadSection(const Section& section, const YAML::Node& node, Draft& draft) {
  if (KindOf(node) != Kind::kObject) return absl::OkStatus();
  for (const auto& entry : node) {
    const std::string key = Lower(entry.first.Scalar());
    std::string name(FlagOfSectionKey(section.name, key));
    if (name.empty()) name = std::string(section.prefix) + key;
    const FlagRow* row = FindFlag(name);
    if (row == nullptr) continue;
    RETURN_IF_ERROR(
        SetFromFile(*row, fmt::format("{}.{}", section.name, key), entry.second, draft));
  }
  return absl::OkStatus();
}

absl::Status ReadKey(const std::string& key, const YAML::Node& node, Draft& draft) {
  for (const Section& section : kSections) {
    if (key == section.name) return ReadSection(section, node, draft);
  }
  if (key == "discovery-config" && KindOf(node) == Kind::kObject && node.size() > 0) {
    return Invalid("discovery-config is set, but this version does not have discovery yet");
  }
  // etcd's own spelling of this key in files.
  const bool odd = key == "experimental-snapshot-catch-up-entries";
  const FlagRow* row = FindFlag(odd ? "experimental-snapshot-catchup-entries" : key);
  if (row == nullptr) return absl::OkStatus();
  return SetFromFile(*row, key, node, draft);
}

// yaml-cpp throws; this is where it stops.
absl::StatusOr<YAML::Node> LoadYaml(std::string_view text) {
  try {
    return YAML::Load(std::string(text));
  } catch (const YAML::Exception& error) {
    return Invalid(fmt::format("error converting YAML to JSON: yaml: line {}: {}",
                               error.mark.line + 1, error.msg));
  }
}

}  // namespace

absl::Status ReadFile(std::string_view text, Draft& draft) {
  draft.from_file = true;
  ASSIGN_OR_RETURN(const YAML::Node root, LoadYaml(text));
  if (root.IsNull()) return absl::OkStatus();
  if (!root.IsMap()) {
    return Invalid(
        fmt::format("error unmarshaling JSON: while decoding JSON: json: cannot "
                    "unmarshal {} into Go value of type embed.configYAML",
                    KindName(KindOf(root))));
  }
  for (const auto& entry : root) {
    if (!entry.first.IsScalar()) continue;
    RETURN_IF_ERROR(ReadKey(Lower(entry.first.Scalar()), entry.second, draft));
  }
  return absl::OkStatus();
}

}  // namespace etcd::config
