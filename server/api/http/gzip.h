#pragma once

#include <string_view>

namespace etcd::api::http {

// True when an Accept-Encoding header asks for gzip (and does not weigh it 0).
bool AcceptsGzip(std::string_view accept_encoding);

}  // namespace etcd::api::http
