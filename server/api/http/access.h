#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "server/api/http/http_handler.h"
#include "server/base/http_call.h"

namespace etcd::api::http {

// Stands before every path of the client URLs: host whitelist, CORS headers, OPTIONS. Immutable.
class AccessControl {
 public:
  explicit AccessControl(const Options& options);

  // The responder to go on with, which adds the CORS headers; null when the request has been
  // answered.
  base::HttpResponderPtr Admit(const base::HttpRequest& request,
                               base::HttpResponderPtr responder) const;

 private:
  bool IsHostAllowed(std::string_view host) const;
  // The value of Access-Control-Allow-Origin, "" for none.
  std::string AllowedOrigin(const base::HttpRequest& request) const;

  const std::set<std::string, std::less<>> origins_;  // empty: all
  const std::set<std::string, std::less<>> hosts_;    // empty: all
};

}  // namespace etcd::api::http
