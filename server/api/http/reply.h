#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/http_call.h"

// Plain answers as Go's net/http words them.
namespace etcd::api::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

inline constexpr std::string_view kPlainText = "text/plain; charset=utf-8";

// Text with a newline after it and the headers that keep browsers from guessing.
void ReplyError(base::HttpResponder& responder, int status, std::string text, Headers more = {});
// 404.
void ReplyNotFound(base::HttpResponder& responder);
// True for GET; else answers 405.
bool RequireGet(const base::HttpRequest& request, base::HttpResponder& responder);

// Name and value pairs of a query, percent-decoded, in order.
std::vector<std::pair<std::string, std::string>> ParseQuery(std::string_view query);

}  // namespace etcd::api::http
