#include "server/api/gateway/websocket.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <openssl/evp.h>

#include "server/api/gateway/base64.h"
#include "server/api/gateway/websocket_frames.h"

namespace etcd::api::gateway {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// True when the comma-separated list has the token (lower case).
bool HasToken(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    std::string_view part = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), part.size() + 1));
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    bool same = part.size() == token.size();
    for (std::size_t i = 0; same && i < part.size(); ++i) same = Lower(part[i]) == token[i];
    if (same) return true;
  }
  return false;
}

// RFC 6455, 4.2.2.
std::string AcceptOf(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return EncodeBase64({reinterpret_cast<const char*>(digest.data()), size});
}

// The answer of the call, line by line. The status is lost, as a WebSocket has none.
class SocketResponder final : public base::HttpResponder {
 public:
  explicit SocketResponder(base::HttpResponderPtr socket) : socket_(std::move(socket)) {}

  void Begin(int, Headers) override {}
  void Write(base::Rope bytes) override { Send(bytes.Flatten()); }
  void End() override {
    socket_->Write(base::Rope(WebSocketCloseFrame(kCloseNormal)));
    socket_->End();
  }
  void Reply(int, Headers, std::string body) override {
    Send(body);
    End();
  }
  void OnGone(std::function<void()> gone) override { socket_->OnGone(std::move(gone)); }
  std::size_t PendingBytes() const override { return socket_->PendingBytes(); }
  void NotifyWhenBelow(std::size_t bytes, absl::AnyInvocable<void()> ready) override {
    socket_->NotifyWhenBelow(bytes, std::move(ready));
  }

 private:
  void Send(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.empty()) return;
    socket_->Write(base::Rope(WebSocketFrame(WebSocketOpcode::kText, line)));
  }

  const base::HttpResponderPtr socket_;
};

class SocketReader final : public base::HttpBodyReader {
 public:
  SocketReader(base::HttpResponderPtr socket, std::shared_ptr<base::HttpBodyReader> body,
               std::size_t message_bytes_max)
      : socket_(std::move(socket)), body_(std::move(body)), decoder_(message_bytes_max) {}

  void OnBody(std::string_view bytes) override {
    decoder_.Add(bytes);
    while (!ended_) {
      std::string payload;
      switch (decoder_.Next(payload)) {
        case WebSocketDecoder::Outcome::kNeedMore:
          return;
        case WebSocketDecoder::Outcome::kMessage:
          // Ends a value that ends with a word.
          if (body_ != nullptr) body_->OnBody(payload + "\n");
          break;
        case WebSocketDecoder::Outcome::kPing:
          socket_->Write(base::Rope(WebSocketFrame(WebSocketOpcode::kPong, payload)));
          break;
        case WebSocketDecoder::Outcome::kPong:
          break;
        case WebSocketDecoder::Outcome::kClose:
          End(WebSocketFrame(WebSocketOpcode::kClose, payload));
          break;
        case WebSocketDecoder::Outcome::kBroken:
          End(WebSocketCloseFrame(decoder_.close_code()));
          break;
      }
    }
  }
  // The connection is the body, and its end is that of the answer.
  void OnBodyEnd() override {}

 private:
  void End(std::string frame) {
    ended_ = true;
    socket_->Write(base::Rope(std::move(frame)));
    socket_->End();
  }

  const base::HttpResponderPtr socket_;
  const std::shared_ptr<base::HttpBodyReader> body_;  // null: the request was answered already
  WebSocketDecoder decoder_;
  bool ended_ = false;
};

}  // namespace

bool AsksForWebSocket(const base::HttpRequest& request) {
  return request.method == "GET" && HasToken(request.Header("connection"), "upgrade") &&
         HasToken(request.Header("upgrade"), "websocket");
}

std::shared_ptr<base::HttpBodyReader> StartWebSocket(base::HttpRequest request,
                                                     base::HttpResponderPtr responder,
                                                     std::size_t message_bytes_max,
                                                     const OpenBody& open) {
  const std::string key(request.Header("sec-websocket-key"));
  std::string nonce;
  if (request.Header("sec-websocket-version") != "13" || !DecodeBase64(key, nonce) ||
      nonce.size() != 16) {
    responder->Reply(
        400, {{"Content-Type", "text/plain; charset=utf-8"}, {"Sec-WebSocket-Version", "13"}},
        "Bad Request\n");
    return nullptr;
  }
  Headers headers = {
      {"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", AcceptOf(key)}};
  constexpr std::string_view kBearer = "Bearer";
  const std::string protocol(request.Header("sec-websocket-protocol"));
  if (protocol.starts_with(kBearer)) {
    headers.emplace_back("Sec-WebSocket-Protocol", kBearer);
    const std::size_t token = protocol.find_first_not_of(", ", kBearer.size());
    if (token != std::string::npos) {
      request.headers.emplace_back("authorization", "Bearer " + protocol.substr(token));
    }
  }
  responder->Begin(101, std::move(headers));
  request.method = "POST";
  auto body = open(std::move(request), std::make_shared<SocketResponder>(responder));
  return std::make_shared<SocketReader>(std::move(responder), std::move(body), message_bytes_max);
}

}  // namespace etcd::api::gateway
