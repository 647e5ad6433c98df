#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

// The XML that S3 answers with: elements and text. Nothing in it is believed.
namespace etcd::store {

struct XmlNode {
  std::string name{};  // without a namespace prefix
  std::string text{};  // of the element itself, entities resolved
  std::vector<XmlNode> children{};

  // The first child of this name; null when there is none.
  const XmlNode* Child(std::string_view child_name) const;
  // Its text; empty when there is none.
  std::string_view TextOf(std::string_view child_name) const;
};

inline constexpr std::size_t kXmlDepthMax = 16;
inline constexpr std::size_t kXmlNodesMax = 20'000;

// The root element. Attributes and comments are skipped; document types are refused. DataLoss when
// it is no well-formed document within these bounds.
absl::StatusOr<XmlNode> ParseXml(std::string_view text);

}  // namespace etcd::store
