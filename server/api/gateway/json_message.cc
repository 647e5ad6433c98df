#include "server/api/gateway/json_message.h"

#include <limits>
#include <set>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "server/api/gateway/base64.h"
#include "server/api/gateway/json_integer.h"
#include "server/base/json_text.h"
#include "server/base/status.h"

namespace etcd::api::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;
using Kind = JsonValue::Kind;

absl::Status Invalid(const FieldDescriptor& field, std::string_view what) {
  std::string text = "proto: ";
  text.append(what).append(" for field ").append(field.name());
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, text);
}

const FieldDescriptor* FindField(const Descriptor& type, const std::string& name) {
  if (const FieldDescriptor* field = type.FindFieldByName(name)) return field;
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->json_name() == name) return type.field(i);
  }
  return nullptr;
}

// One target for a value: the field itself, or a new element of it.
class Slot {
 public:
  Slot(Message& message, const FieldDescriptor& field)
      : message_(message), reflection_(*message.GetReflection()), field_(field) {}

  absl::Status Assign(const JsonValue& json) {
    switch (field_.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT64:
        return AssignSigned<std::int64_t>(json);
      case FieldDescriptor::CPPTYPE_INT32:
        return AssignSigned<std::int32_t>(json);
      case FieldDescriptor::CPPTYPE_UINT64:
        return AssignUnsigned<std::uint64_t>(json);
      case FieldDescriptor::CPPTYPE_UINT32:
        return AssignUnsigned<std::uint32_t>(json);
      case FieldDescriptor::CPPTYPE_BOOL:
        if (json.kind != Kind::kBool) return Invalid(field_, "no bool");
        Set(&Reflection::SetBool, &Reflection::AddBool, json.boolean);
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_ENUM:
        return AssignEnum(json);
      case FieldDescriptor::CPPTYPE_STRING:
        return AssignText(json);
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return FillMessage(json, field_.is_repeated()
                                     ? *reflection_.AddMessage(&message_, &field_)
                                     : *reflection_.MutableMessage(&message_, &field_));
      default:
        return Invalid(field_, "unsupported type");
    }
  }

 private:
  template <typename Setter, typename Adder, typename Value>
  void Set(Setter set, Adder add, Value value) {
    if (field_.is_repeated()) {
      (reflection_.*add)(&message_, &field_, std::move(value));
    } else {
      (reflection_.*set)(&message_, &field_, std::move(value));
    }
  }

  // 64-bit numbers come as strings or numbers.
  static bool IsNumeric(const JsonValue& json) {
    return json.kind == Kind::kNumber || json.kind == Kind::kString;
  }

  template <typename Int>
  absl::Status AssignSigned(const JsonValue& json) {
    const auto value = IsNumeric(json) ? ParseInt64(json.text) : std::nullopt;
    if (!value.has_value() || *value < std::numeric_limits<Int>::min() ||
        *value > std::numeric_limits<Int>::max()) {
      return Invalid(field_, "invalid integer");
    }
    if constexpr (sizeof(Int) == 8) {
      Set(&Reflection::SetInt64, &Reflection::AddInt64, *value);
    } else {
      Set(&Reflection::SetInt32, &Reflection::AddInt32, static_cast<Int>(*value));
    }
    return absl::OkStatus();
  }

  template <typename Int>
  absl::Status AssignUnsigned(const JsonValue& json) {
    const auto value = IsNumeric(json) ? ParseUint64(json.text) : std::nullopt;
    if (!value.has_value() || *value > std::numeric_limits<Int>::max()) {
      return Invalid(field_, "invalid integer");
    }
    if constexpr (sizeof(Int) == 8) {
      Set(&Reflection::SetUInt64, &Reflection::AddUInt64, *value);
    } else {
      Set(&Reflection::SetUInt32, &Reflection::AddUInt32, static_cast<Int>(*value));
    }
    return absl::OkStatus();
  }

  // A name that is not defined leaves the zero value; a number is passed on as it is.
  absl::Status AssignEnum(const JsonValue& json) {
    if (json.kind == Kind::kString) {
      if (const auto* value = field_.enum_type()->FindValueByName(json.text)) {
        Set(&Reflection::SetEnumValue, &Reflection::AddEnumValue, value->number());
      }
      return absl::OkStatus();
    }
    const auto value = json.kind == Kind::kNumber ? ParseInt64(json.text) : std::nullopt;
    if (!value.has_value() || *value < std::numeric_limits<std::int32_t>::min() ||
        *value > std::numeric_limits<std::int32_t>::max()) {
      return Invalid(field_, "invalid enum value");
    }
    Set(&Reflection::SetEnumValue, &Reflection::AddEnumValue, static_cast<int>(*value));
    return absl::OkStatus();
  }

  absl::Status AssignText(const JsonValue& json) {
    if (json.kind != Kind::kString) return Invalid(field_, "no string");
    std::string text = json.text;
    if (field_.type() == FieldDescriptor::TYPE_BYTES && !DecodeBase64(json.text, text)) {
      return Invalid(field_, "illegal base64 data");
    }
    Set(&Reflection::SetString, &Reflection::AddString, std::move(text));
    return absl::OkStatus();
  }

  Message& message_;
  const Reflection& reflection_;
  const FieldDescriptor& field_;
};

absl::Status AssignField(const JsonValue& json, Message& message, const FieldDescriptor& field) {
  Slot slot(message, field);
  if (!field.is_repeated()) return slot.Assign(json);
  if (json.kind != Kind::kArray) return Invalid(field, "no array");
  for (const JsonValue& item : json.items) RETURN_IF_ERROR(slot.Assign(item));
  return absl::OkStatus();
}

void AppendInteger(std::string& out, const std::string& digits, bool is_64_bit) {
  if (is_64_bit) out.push_back('"');
  out += digits;
  if (is_64_bit) out.push_back('"');
}

void AppendEnum(std::string& out, const FieldDescriptor& field, int number) {
  if (const auto* value = field.enum_type()->FindValueByNumber(number)) {
    base::AppendJsonString(out, value->name());
  } else {
    out += std::to_string(number);
  }
}

void AppendText(std::string& out, const FieldDescriptor& field, const std::string& text) {
  if (field.type() == FieldDescriptor::TYPE_BYTES) {
    out += '"' + EncodeBase64(text) + '"';
  } else {
    base::AppendJsonString(out, text);
  }
}

// Element `index` of a repeated field, or the field itself (index -1).
void AppendValue(const Message& message, const FieldDescriptor& field, int index,
                 std::string& out) {
  const Reflection& r = *message.GetReflection();
  const bool one = index < 0;
  const FieldDescriptor* f = &field;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT64:
      return AppendInteger(
          out, std::to_string(one ? r.GetInt64(message, f) : r.GetRepeatedInt64(message, f, index)),
          true);
    case FieldDescriptor::CPPTYPE_UINT64:
      return AppendInteger(
          out,
          std::to_string(one ? r.GetUInt64(message, f) : r.GetRepeatedUInt64(message, f, index)),
          true);
    case FieldDescriptor::CPPTYPE_INT32:
      return AppendInteger(
          out, std::to_string(one ? r.GetInt32(message, f) : r.GetRepeatedInt32(message, f, index)),
          false);
    case FieldDescriptor::CPPTYPE_UINT32:
      return AppendInteger(
          out,
          std::to_string(one ? r.GetUInt32(message, f) : r.GetRepeatedUInt32(message, f, index)),
          false);
    case FieldDescriptor::CPPTYPE_BOOL:
      out +=
          (one ? r.GetBool(message, f) : r.GetRepeatedBool(message, f, index)) ? "true" : "false";
      return;
    case FieldDescriptor::CPPTYPE_ENUM:
      return AppendEnum(
          out, field, one ? r.GetEnumValue(message, f) : r.GetRepeatedEnumValue(message, f, index));
    case FieldDescriptor::CPPTYPE_STRING:
      return AppendText(out, field,
                        one ? r.GetString(message, f) : r.GetRepeatedString(message, f, index));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return AppendJson(one ? r.GetMessage(message, f) : r.GetRepeatedMessage(message, f, index),
                        out);
    default:
      out += "null";  // no field of ours is a float
  }
}

void AppendField(const Message& message, const FieldDescriptor& field, std::string& out) {
  base::AppendJsonString(out, field.name());
  out.push_back(':');
  if (!field.is_repeated()) return AppendValue(message, field, -1, out);
  out.push_back('[');
  const int size = message.GetReflection()->FieldSize(message, &field);
  for (int i = 0; i < size; ++i) {
    if (i > 0) out.push_back(',');
    AppendValue(message, field, i, out);
  }
  out.push_back(']');
}

}  // namespace

absl::Status FillMessage(const JsonValue& json, Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  if (json.kind != Kind::kObject) {
    return base::MakeStatus(absl::StatusCode::kInvalidArgument,
                            "proto: syntax error: unexpected token, an object is expected");
  }
  std::set<const FieldDescriptor*> seen;
  std::set<const OneofDescriptor*> oneofs_seen;
  for (const auto& [name, value] : json.members) {
    const FieldDescriptor* field = FindField(type, name);
    if (field == nullptr || value.kind == Kind::kNull) continue;
    if (!seen.insert(field).second) return Invalid(*field, "duplicate");
    const OneofDescriptor* oneof = field->containing_oneof();
    if (oneof != nullptr && !oneofs_seen.insert(oneof).second) {
      return Invalid(*field, "oneof is already set");
    }
    RETURN_IF_ERROR(AssignField(value, message, *field));
  }
  return absl::OkStatus();
}

void AppendJson(const Message& message, std::string& out) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  out.push_back('{');
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) out.push_back(',');
    AppendField(message, *fields[i], out);
  }
  out.push_back('}');
}

}  // namespace etcd::api::gateway
