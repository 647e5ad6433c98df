#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "operator/model/group.h"
#include "operator/model/values.h"
#include "server/base/status.h"

// Structs of the model from and to JSON. Included by the generated x.cc files only: it is heavy.
namespace etcd::model {

// Generated for each enumeration: kNames, in the order of its values.
template <class Enum>
struct EnumNames;

// Generated for each struct: Visit(archive, self) calls archive.Field(name, member) for every
// member.
template <class Struct>
struct Fields;

template <class Enum>
std::string_view NameOf(Enum value) {
  return EnumNames<Enum>::kNames[static_cast<size_t>(value)];
}

// Reads one JSON object into a struct. The first mistake ends the reading and is kept in `problem`.
class Reader {
 public:
  // `object` and `problem` must outlive the reader. `path` is for messages: "spec.storage".
  Reader(const nlohmann::json& object, std::string path, std::string* problem)
      : object_(object), path_(std::move(path)), problem_(problem) {}

  template <class T>
  void Field(std::string_view name, T& member) {
    seen_.emplace(name);
    const auto found = object_.find(name);
    // null is absence: the API server writes it for fields that were cleared.
    if (found != object_.end() && !found->is_null()) Value(*found, PathOf(name), member);
  }

  // What Field was not called for.
  UnknownFields Rest() const {
    UnknownFields rest;
    for (const auto& [name, value] : object_.items()) {
      if (!seen_.contains(name)) rest.emplace(name, value.dump());
    }
    return rest;
  }

  template <class Struct>
  void Object(const nlohmann::json& value, const std::string& path, Struct& out) {
    if (!value.is_object()) return Expected(path, "an object");
    Reader reader(value, path, problem_);
    Fields<Struct>::Visit(reader, out);
    out.unknown = reader.Rest();
  }

 private:
  std::string PathOf(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  }

  void Expected(const std::string& path, std::string_view what) {
    if (problem_->empty()) *problem_ = path + " must be " + std::string(what);
  }

  void Value(const nlohmann::json& value, const std::string& path, std::string& out) {
    // A quantity may be written as a number.
    if (value.is_string()) {
      out = value.get<std::string>();
    } else if (value.is_number()) {
      out = value.dump();
    } else {
      Expected(path, "a string");
    }
  }

  void Value(const nlohmann::json& value, const std::string& path, bool& out) {
    if (!value.is_boolean()) return Expected(path, "true or false");
    out = value.get<bool>();
  }

  template <class Number>
  requires(std::is_arithmetic_v<Number> &&
           !std::is_same_v<Number, bool>) void Value(const nlohmann::json& value,
                                                     const std::string& path, Number& out) {
    if constexpr (std::is_floating_point_v<Number>) {
      if (!value.is_number()) return Expected(path, "a number");
      out = value.get<Number>();
    } else {
      if (!value.is_number_integer()) return Expected(path, "a whole number");
      const auto wide = value.get<int64_t>();
      out = static_cast<Number>(wide);
      if (out != wide || (value.is_number_unsigned() && wide < 0))
        Expected(path, "a smaller number");
    }
  }

  static void Value(const nlohmann::json& value, const std::string&, JsonText& out) {
    out.text = value.dump();
  }

  template <class T>
  void Value(const nlohmann::json& value, const std::string& path, std::optional<T>& out) {
    Value(value, path, out.emplace());
  }

  template <class T>
  void Value(const nlohmann::json& value, const std::string& path, std::vector<T>& out) {
    if (!value.is_array()) return Expected(path, "a list");
    out.clear();
    for (const auto& item : value) {
      const std::string at = path + "[" + std::to_string(out.size()) + "]";
      Value(item, at, out.emplace_back());
    }
  }

  template <class T>
  void Value(const nlohmann::json& value, const std::string& path, std::map<std::string, T>& out) {
    if (!value.is_object()) return Expected(path, "an object");
    out.clear();
    for (const auto& [key, item] : value.items()) Value(item, path + "." + key, out[key]);
  }

  template <class Enum>
  requires std::is_enum_v<Enum>
  void Value(const nlohmann::json& value, const std::string& path, Enum& out) {
    if (!value.is_string()) return Expected(path, "a string");
    size_t index = 0;
    for (const std::string_view name : EnumNames<Enum>::kNames) {
      if (name == value.get_ref<const std::string&>()) {
        out = static_cast<Enum>(index);
        return;
      }
      ++index;
    }
    Expected(path, "a value that this version knows, not " + value.get<std::string>());
  }

  template <class Struct>
  requires std::is_class_v<Struct>
  void Value(const nlohmann::json& value, const std::string& path, Struct& out) {
    Object(value, path, out);
  }

  const nlohmann::json& object_;
  std::string path_;
  std::string* problem_;
  std::set<std::string, std::less<>> seen_;
};

// Writes structs. What is empty is left out: server-side apply releases fields that are not sent.
class Writer {
 public:
  template <class T>
  void Field(std::string_view name, const T& member) {
    nlohmann::json value = Value(member);
    if (!value.is_null()) object_.emplace(name, std::move(value));
  }

  template <class Struct>
  static nlohmann::json Object(const Struct& value) {
    Writer writer;
    Fields<Struct>::Visit(writer, value);
    for (const auto& [name, text] : value.unknown) {
      writer.object_.emplace(name, nlohmann::json::parse(text));
    }
    return std::move(writer.object_);
  }

 private:
  template <class T>
  static nlohmann::json Value(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      return NameOf(value);
    } else if constexpr (std::is_class_v<T>) {
      return Object(value);
    } else {
      return value;
    }
  }
  static nlohmann::json Value(const std::string& value) { return value; }
  static nlohmann::json Value(const JsonText& value) { return nlohmann::json::parse(value.text); }

  template <class T>
  static nlohmann::json Value(const std::optional<T>& value) {
    return value ? Value(*value) : nlohmann::json();
  }

  template <class T>
  static nlohmann::json Value(const std::vector<T>& list) {
    nlohmann::json result;  // null when the list is empty
    for (const T& item : list) result.push_back(Value(item));
    return result;
  }

  template <class T>
  static nlohmann::json Value(const std::map<std::string, T>& map) {
    nlohmann::json result;
    for (const auto& [key, item] : map) result[key] = Value(item);
    return result;
  }

  nlohmann::json object_ = nlohmann::json::object();
};

// A whole object: apiVersion and kind must be the kind's.
template <class Kind>
absl::StatusOr<Kind> ParseObject(const nlohmann::json& json) {
  std::string problem;
  Kind result;
  Reader reader(json, "", &problem);
  if (!json.is_object()) return absl::InvalidArgumentError("an object of Kubernetes is expected");
  std::string api_version;
  std::string kind;
  reader.Field("apiVersion", api_version);
  reader.Field("kind", kind);
  reader.Field("metadata", result.metadata);
  reader.Field("spec", result.spec);
  reader.Field("status", result.status);
  result.unknown = reader.Rest();
  if (problem.empty() && (api_version != kApiVersion || kind != Kind::kKind)) {
    problem = "this is a " + api_version + " " + kind + ", not a " + std::string(Kind::kKind);
  }
  if (!problem.empty()) return base::MakeStatus(absl::StatusCode::kInvalidArgument, problem);
  return result;
}

template <class Kind>
nlohmann::json WriteObject(const Kind& object) {
  nlohmann::json json = {{"apiVersion", kApiVersion}, {"kind", Kind::kKind}};
  json["metadata"] = Writer::Object(object.metadata);
  json["spec"] = Writer::Object(object.spec);
  json["status"] = Writer::Object(object.status);
  for (const auto& [name, text] : object.unknown) json[name] = nlohmann::json::parse(text);
  return json;
}

}  // namespace etcd::model
