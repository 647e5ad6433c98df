#pragma once

#include <map>
#include <string>

namespace etcd::model {

// Values that keep their text, so that what is read is written back unchanged.
using Quantity = std::string;  // "8Gi", "100m", "2147483648"
using Duration = std::string;  // "10m", "1h30m", "0s"
using Time = std::string;      // RFC 3339, UTC: "2026-01-02T03:04:05Z"

// JSON that is passed on without being looked at.
struct JsonText {
  std::string text;
  bool operator==(const JsonText&) const = default;
};

// Fields that this version does not know: name -> JSON text. They are written back, so that an
// older operator does not erase what a newer one or a user wrote.
using UnknownFields = std::map<std::string, std::string>;

}  // namespace etcd::model
