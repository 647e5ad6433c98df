#include "tests/unit/transport/h2_client.h"

#include <algorithm>
#include <cstring>

#include <nghttp2/nghttp2.h>

#include "server/base/check.h"

namespace etcd::transport {

struct H2ClientCallbacks {
  static H2Client& Of(void* user_data) { return *static_cast<H2Client*>(user_data); }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_length, const std::uint8_t* value, std::size_t value_length,
                      std::uint8_t, void* user_data) {
    H2Client::Stream& stream = Of(user_data).streams_[frame->hd.stream_id];
    auto& block = stream.has_headers ? stream.trailers : stream.headers;
    block[std::string(reinterpret_cast<const char*>(name), name_length)] =
        std::string(reinterpret_cast<const char*>(value), value_length);
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    H2Client& client = Of(user_data);
    if (frame->hd.type == NGHTTP2_HEADERS) client.streams_[frame->hd.stream_id].has_headers = true;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      ++client.goaways_;
      client.goaway_code_ = frame->goaway.error_code;
      client.goaway_text_.assign(reinterpret_cast<const char*>(frame->goaway.opaque_data),
                                 frame->goaway.opaque_data_len);
    }
    if (frame->hd.type == NGHTTP2_PING) {
      ++((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 ? client.pings_answered_
                                                   : client.pings_received_);
    }
    return 0;
  }

  static int OnData(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                    std::size_t length, void* user_data) {
    Of(user_data).streams_[id].body.append(reinterpret_cast<const char*>(data), length);
    return 0;
  }

  static int OnClose(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user_data) {
    H2Client::Stream& stream = Of(user_data).streams_[id];
    stream.closed = true;
    stream.error_code = code;
    return 0;
  }

  static ssize_t ReadBody(nghttp2_session*, std::int32_t id, std::uint8_t* buffer,
                          std::size_t length, std::uint32_t* flags, nghttp2_data_source*,
                          void* user_data) {
    H2Client::Stream& stream = Of(user_data).streams_[id];
    const std::size_t bytes = std::min(length, stream.outgoing.size());
    if (bytes == 0 && !stream.end_outgoing) return NGHTTP2_ERR_DEFERRED;
    std::memcpy(buffer, stream.outgoing.data(), bytes);
    stream.outgoing.erase(0, bytes);
    if (stream.outgoing.empty() && stream.end_outgoing) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(bytes);
  }
};

int H2Client::Stream::GrpcStatus() const {
  for (const auto* block : {&trailers, &headers}) {
    const auto found = block->find("grpc-status");
    if (found != block->end()) return std::stoi(found->second);
  }
  return -1;
}

std::string H2Client::Stream::GrpcText() const {
  for (const auto* block : {&trailers, &headers}) {
    const auto found = block->find("grpc-message");
    if (found != block->end()) return found->second;
  }
  return {};
}

H2Client::H2Client(std::uint16_t port, Options options) : raw_(port) {
  nghttp2_session_callbacks* callbacks = nullptr;
  CHECK(nghttp2_session_callbacks_new(&callbacks) == 0) << "memory";
  nghttp2_session_callbacks_set_on_header_callback(callbacks, H2ClientCallbacks::OnHeader);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, H2ClientCallbacks::OnFrame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, H2ClientCallbacks::OnData);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, H2ClientCallbacks::OnClose);
  nghttp2_option* option = nullptr;
  CHECK(nghttp2_option_new(&option) == 0) << "memory";
  nghttp2_option_set_no_auto_window_update(option, options.auto_window ? 0 : 1);
  CHECK(nghttp2_session_client_new2(&session_, callbacks, this, option) == 0) << "memory";
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry setting{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.stream_window};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &setting, 1);
}

H2Client::~H2Client() { nghttp2_session_del(session_); }

std::int32_t H2Client::Call(const std::string& path, const std::string& body, Fields extra,
                            bool end) {
  Fields fields = {{":method", "POST"},
                   {":scheme", "http"},
                   {":path", path},
                   {":authority", "localhost"},
                   {"content-type", "application/grpc"},
                   {"te", "trailers"}};
  fields.insert(fields.end(), extra.begin(), extra.end());
  return Request(fields, body, end);
}

std::int32_t H2Client::Request(const Fields& fields, const std::string& body, bool end) {
  std::vector<nghttp2_nv> values;
  for (const auto& [name, value] : fields) {
    values.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                      reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
                      value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  nghttp2_data_provider provider{};
  provider.read_callback = H2ClientCallbacks::ReadBody;
  const bool with_body = !body.empty() || !end;
  const std::int32_t id = nghttp2_submit_request(session_, nullptr, values.data(), values.size(),
                                                 with_body ? &provider : nullptr, nullptr);
  CHECK(id > 0) << "submit_request: " << id;
  streams_[id].outgoing = body;
  streams_[id].end_outgoing = end;
  Flush();
  return id;
}

void H2Client::SendBody(std::int32_t id, const std::string& body, bool end) {
  streams_[id].outgoing += body;
  streams_[id].end_outgoing = end;
  nghttp2_session_resume_data(session_, id);
  Flush();
}

void H2Client::Reset(std::int32_t id, std::uint32_t code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, code);
  Flush();
}

void H2Client::Ping() {
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  Flush();
}

void H2Client::GiveWindow(std::int32_t id, std::int32_t bytes) {
  nghttp2_submit_window_update(session_, NGHTTP2_FLAG_NONE, id, bytes);
  Flush();
}

void H2Client::Flush() {
  const std::uint8_t* data = nullptr;
  for (ssize_t length = 1; length > 0;) {
    length = nghttp2_session_mem_send(session_, &data);
    if (length > 0) {
      raw_.Send({reinterpret_cast<const char*>(data), static_cast<std::size_t>(length)});
    }
  }
}

bool H2Client::RunUntil(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + RawClient::kPatience;
  Flush();
  while (!condition()) {
    if (raw_.closed() || std::chrono::steady_clock::now() > deadline) return false;
    const std::string bytes = raw_.ReadSome(std::chrono::milliseconds(20));
    if (!bytes.empty()) {
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()),
                               bytes.size());
    }
    Flush();
  }
  return true;
}

}  // namespace etcd::transport
