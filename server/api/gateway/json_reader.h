#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// JSON as the gateway needs it: numbers keep their text (64-bit integers do not fit a double),
// members keep their order and their duplicates (which are errors, and for messages to judge).
namespace etcd::api::gateway {

struct JsonMember;

struct JsonValue {
  enum class Kind : std::uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  bool boolean = false;
  std::string text;  // of a number as written; of a string decoded, valid UTF-8
  std::vector<JsonValue> items;
  std::vector<JsonMember> members;  // no std::pair, which wants to know its whole types at once
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

// Reads values one after the other (RFC 8259; whitespace between them).
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : rest_(text) {}

  enum class Outcome : std::uint8_t { kValue, kEnd, kMalformed };
  // After kMalformed the reader is of no more use.
  Outcome Next(JsonValue& value);

 private:
  bool ReadValue(JsonValue& value, int depth);
  bool ReadObject(JsonValue& value, int depth);
  bool ReadArray(JsonValue& value, int depth);
  bool ReadString(std::string& out);
  bool ReadEscape(std::string& out);
  bool ReadHex4(std::uint32_t& out);
  bool ReadNumber(std::string& out);
  bool ReadWord(std::string_view word);
  bool ReadDigits();
  void SkipSpace();
  // Takes the character if it comes next.
  bool Take(char c);

  std::string_view rest_;
};

}  // namespace etcd::api::gateway
