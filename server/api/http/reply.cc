#include "server/api/http/reply.h"

#include <algorithm>

namespace etcd::api::http {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string Decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out.push_back(' ');
    } else if (text[i] == '%' && i + 2 < text.size() && HexValue(text[i + 1]) >= 0 &&
               HexValue(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(HexValue(text[i + 1]) * 16 + HexValue(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

}  // namespace

void ReplyError(base::HttpResponder& responder, int status, std::string text, Headers more) {
  more.emplace_back("Content-Type", kPlainText);
  more.emplace_back("X-Content-Type-Options", "nosniff");
  text.push_back('\n');
  responder.Reply(status, std::move(more), std::move(text));
}

void ReplyNotFound(base::HttpResponder& responder) {
  ReplyError(responder, 404, "404 page not found");
}

bool RequireGet(const base::HttpRequest& request, base::HttpResponder& responder) {
  if (request.method == "GET") return true;
  ReplyError(responder, 405, "Method Not Allowed", {{"Allow", "GET"}});
  return false;
}

std::vector<std::pair<std::string, std::string>> ParseQuery(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> out;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    out.emplace_back(Decode(pair.substr(0, equals)), Decode(value));
  }
  return out;
}

}  // namespace etcd::api::http
