#include "operator/store/xml.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include <fmt/format.h>

#include "server/base/status.h"

namespace etcd::store {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

std::string_view Trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

void AppendUtf8(std::uint32_t code, std::string& out) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

// What stands between & and ;.
bool AppendEntity(std::string_view name, std::string& out) {
  if (name == "amp") return out += '&', true;
  if (name == "lt") return out += '<', true;
  if (name == "gt") return out += '>', true;
  if (name == "quot") return out += '"', true;
  if (name == "apos") return out += '\'', true;
  if (!name.starts_with('#')) return false;
  name.remove_prefix(1);
  const bool is_hex = name.starts_with('x');
  if (is_hex) name.remove_prefix(1);
  std::uint32_t code = 0;
  const auto [end, error] =
      std::from_chars(name.data(), name.data() + name.size(), code, is_hex ? 16 : 10);
  if (error != std::errc() || end != name.data() + name.size() || code == 0 || code > 0x10ffff) {
    return false;
  }
  AppendUtf8(code, out);
  return true;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<XmlNode> Document() {
    RETURN_IF_ERROR(SkipMisc());
    XmlNode root;
    RETURN_IF_ERROR(Element(root, 1));
    RETURN_IF_ERROR(SkipMisc());
    if (at_ != text_.size()) return Wrong("something behind the root element");
    return root;
  }

 private:
  absl::Status Wrong(std::string_view why) const {
    return base::DataLoss(fmt::format("no XML of S3: {} at byte {}", why, at_));
  }
  bool Starts(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  absl::Status SkipPast(std::string_view end) {
    const std::size_t found = text_.find(end, at_);
    if (found == std::string_view::npos) return Wrong(fmt::format("no {}", end));
    at_ = found + end.size();
    return absl::OkStatus();
  }

  absl::Status SkipMisc() {
    while (true) {
      at_ = std::min(text_.find_first_not_of(kSpaces, at_), text_.size());
      if (Starts("<?")) {
        RETURN_IF_ERROR(SkipPast("?>"));
      } else if (Starts("<!--")) {
        RETURN_IF_ERROR(SkipPast("-->"));
      } else {
        return absl::OkStatus();
      }
    }
  }

  // `<name ...>` or `<name .../>`; the latter is complete.
  absl::Status OpenTag(XmlNode& node, bool& is_complete) {
    if (!Starts("<")) return Wrong("no element");
    const std::size_t begin = at_ + 1;
    const std::size_t name_end = text_.find_first_of(" \t\r\n/><", begin);
    if (name_end == std::string_view::npos || name_end == begin || text_[begin] == '!') {
      return Wrong("no name of an element");
    }
    std::string_view name = text_.substr(begin, name_end - begin);
    if (const auto colon = name.find(':'); colon != name.npos) name.remove_prefix(colon + 1);
    node.name = name;
    char quote = 0;  // within an attribute's value
    for (at_ = name_end; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (quote != 0) {
        if (c == quote) quote = 0;
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == '<') {
        return Wrong("an element that is not closed");
      } else if (c == '>') {
        is_complete = text_[at_ - 1] == '/';
        ++at_;
        return absl::OkStatus();
      }
    }
    return Wrong("the end of the text within an element");
  }

  absl::Status Element(XmlNode& node, std::size_t depth) {
    if (depth > kXmlDepthMax) return Wrong("elements too deep");
    if (++nodes_ > kXmlNodesMax) return Wrong("too many elements");
    bool is_complete = false;
    RETURN_IF_ERROR(OpenTag(node, is_complete));
    if (is_complete) return absl::OkStatus();
    while (true) {
      RETURN_IF_ERROR(Text(node.text));
      if (Starts("</")) break;
      if (Starts("<!--")) {
        RETURN_IF_ERROR(SkipPast("-->"));
        continue;
      }
      RETURN_IF_ERROR(Element(node.children.emplace_back(), depth + 1));
    }
    at_ += 2;
    const std::size_t end = text_.find('>', at_);
    if (end == std::string_view::npos) return Wrong("no end of an element");
    std::string_view name = Trimmed(text_.substr(at_, end - at_));
    if (const auto colon = name.find(':'); colon != name.npos) name.remove_prefix(colon + 1);
    if (name != node.name) return Wrong("another element's end");
    at_ = end + 1;
    if (!node.children.empty()) node.text.clear();  // the spaces between them
    return absl::OkStatus();
  }

  // Up to the next '<'.
  absl::Status Text(std::string& out) {
    while (at_ < text_.size() && text_[at_] != '<') {
      if (text_[at_] != '&') {
        out += text_[at_++];
        continue;
      }
      const std::size_t end = text_.substr(0, at_ + 12).find(';', at_);
      if (end == std::string_view::npos ||
          !AppendEntity(text_.substr(at_ + 1, end - at_ - 1), out)) {
        return Wrong("an entity that is not known");
      }
      at_ = end + 1;
    }
    return at_ < text_.size() ? absl::OkStatus() : Wrong("the end of the text");
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  std::size_t nodes_ = 0;
};

}  // namespace

const XmlNode* XmlNode::Child(std::string_view child_name) const {
  for (const XmlNode& child : children) {
    if (child.name == child_name) return &child;
  }
  return nullptr;
}

std::string_view XmlNode::TextOf(std::string_view child_name) const {
  const XmlNode* const child = Child(child_name);
  return child == nullptr ? std::string_view() : Trimmed(child->text);
}

absl::StatusOr<XmlNode> ParseXml(std::string_view text) { return Parser(text).Document(); }

}  // namespace etcd::store
