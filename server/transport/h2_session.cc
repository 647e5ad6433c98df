#include "server/transport/h2_session.h"

#include <array>
#include <utility>

#include <nghttp2/nghttp2.h>

#include "server/base/check.h"
#include "server/transport/grpc_codec.h"
#include "server/transport/h2_callbacks.h"
#include "server/transport/h2_http.h"
#include "server/transport/open_call.h"

namespace etcd::transport {
namespace {

// What a client may send unasked. Requests are taken off the wire at once, so these set the speed
// of uploads, not the memory.
constexpr std::int32_t kStreamWindowBytes = 1024 * 1024;
constexpr std::int32_t kConnectionWindowBytes = 16 * 1024 * 1024;
// Streams that the client may reset: at once, then each second. Real clients cancel watches by the
// hundred; the attack (CVE-2023-44487) needs many thousands a second.
constexpr std::uint64_t kResetBurst = 2000;
constexpr std::uint64_t kResetsPerSecond = 200;
// Frames that wait for a peer that does not read.
constexpr std::size_t kOutboundQueueMax = 1000;
constexpr std::int32_t kLastStreamIdMax = 0x7fffffff;
constexpr std::string_view kGracefulStop = "graceful_stop";
constexpr std::string_view kTooManyPings = "too_many_pings";

nghttp2_option* MakeOptions() {
  nghttp2_option* options = nullptr;
  CHECK(nghttp2_option_new(&options) == 0) << "nghttp2 is out of memory";
  nghttp2_option_set_no_closed_streams(options, 1);
  nghttp2_option_set_no_http_messaging(options, 1);  // FieldRules instead
  nghttp2_option_set_stream_reset_rate_limit(options, kResetBurst, kResetsPerSecond);
  nghttp2_option_set_max_outbound_ack(options, 1000);
  nghttp2_option_set_max_settings(options, 32);
  nghttp2_option_set_max_continuations(options, 16);
  return options;
}

const std::uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

nghttp2_nv ToNv(const HeaderView& header) {
  const int flags = header.constant ? NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE
                                    : NGHTTP2_NV_FLAG_NONE;
  return {const_cast<std::uint8_t*>(Bytes(header.name)),
          const_cast<std::uint8_t*>(Bytes(header.value)), header.name.size(), header.value.size(),
          static_cast<std::uint8_t>(flags)};
}

}  // namespace

H2Session::H2Session(Connection& connection)
    : connection_(connection),
      ping_policy_(connection.context().options.ping_min_time),
      head_timer_(connection.loop().timers(), [this] { connection_.Close(); }),
      keepalive_timer_(connection.loop().timers(), [this] { OnKeepalive(); }),
      drain_timer_(connection.loop().timers(), [this] { OnDrainTimer(); }),
      last_read_(connection.loop().now()) {
  static const nghttp2_option* const options = MakeOptions();
  CHECK(nghttp2_session_server_new2(&session_, H2Callbacks::Table(), this, options) == 0)
      << "nghttp2 is out of memory";
  Configure();
}

H2Session::~H2Session() { nghttp2_session_del(session_); }

void H2Session::Configure() {
  const ServerOptions& limits = context().options;
  std::array<nghttp2_settings_entry, 3> settings{};
  std::size_t count = 0;
  settings[count++] = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindowBytes};
  settings[count++] = {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
                       static_cast<std::uint32_t>(limits.header_bytes_max)};
  if (limits.concurrent_streams_max != 0xffffffff) {
    settings[count++] = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.concurrent_streams_max};
  }
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), count);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindowBytes);
  if (limits.ping_interval.count() > 0 && limits.ping_timeout.count() > 0) {
    keepalive_timer_.Arm(last_read_ + limits.ping_interval);
  }
}

bool H2Session::OnBytes(std::string_view bytes) {
  last_read_ = loop().now();
  if (expelled_) return false;
  while (!bytes.empty()) {
    const std::string_view piece = scanner_.Next(bytes);
    const bool late = scanner_.head_complete() && scanner_.type() == NGHTTP2_DATA &&
                      ended_by_peer_.Contains(scanner_.stream_id());
    const ssize_t taken = nghttp2_session_mem_recv(session_, Bytes(piece), piece.size());
    if (taken < 0) return false;  // flooded, no preface, or out of memory
    if (late) nghttp2_session_terminate_session(session_, NGHTTP2_STREAM_CLOSED);
  }
  // A header block that never ends must not hold the connection for ever.
  if (!head_open_) {
    head_timer_.Disarm();
  } else if (!head_timer_.armed()) {
    head_timer_.Arm(loop().now() + context().options.handshake_timeout);
  }
  return !expelled_;
}

void H2Session::Fill(OutBuffer& out, std::size_t bytes_hint) {
  filling_ = &out;
  fill_bytes_max_ = bytes_hint;
  while (out.size() < bytes_hint) {
    const std::uint8_t* data = nullptr;
    const ssize_t length = nghttp2_session_mem_send(session_, &data);
    if (length <= 0) break;
    out.Append(
        std::string_view(reinterpret_cast<const char*>(data), static_cast<std::size_t>(length)));
  }
  filling_ = nullptr;
}

bool H2Session::Finished() const {
  if (drained_ && streams_.empty()) return true;
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

bool H2Session::Overloaded() const {
  return nghttp2_session_get_outbound_queue_size(session_) > kOutboundQueueMax;
}

void H2Session::OnRequestHead(std::int32_t stream_id, bool end_stream) {
  if (!rules_.IsComplete(end_stream)) return Refuse(stream_id);
  const std::shared_ptr<H2Stream> stream = Open(stream_id);
  if (stream == nullptr) return;
  stream->ExpectBody(rules_.content_length());
  if (end_stream) {
    stream->MarkRequestEnded();
    stream->OnEndStream();
  }
}

void H2Session::Refuse(std::int32_t stream_id) {
  head_open_ = false;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_PROTOCOL_ERROR);
  WantFlush();
}

std::shared_ptr<H2Stream> H2Session::Open(std::int32_t stream_id) {
  const bool http = connection_.endpoint().http_over_http2 && context().http != nullptr &&
                    !head_.oversize && !IsGrpcContentType(head_.content_type);
  std::shared_ptr<H2Stream> stream;
  const auto adopt = [&](const std::shared_ptr<H2Stream>& made) {
    stream = made;
    streams_.emplace(stream_id, made);
    nghttp2_session_set_stream_user_data(session_, stream_id, made.get());
  };
  if (http) {
    OpenHttpStream(*this, stream_id, head_, adopt);
  } else {
    OpenCall(*this, stream_id, head_, adopt);
  }
  return stream;
}

void H2Session::SubmitHeaders(H2Stream& stream, std::span<const HeaderView> headers,
                              bool with_body) {
  std::vector<nghttp2_nv> fields;
  fields.reserve(headers.size());
  for (const HeaderView& header : headers) fields.push_back(ToNv(header));
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = H2Callbacks::ReadData;
  nghttp2_submit_response(session_, stream.id(), fields.data(), fields.size(),
                          with_body ? &provider : nullptr);
  WantFlush();
}

void H2Session::Reset(H2Stream& stream, std::uint32_t error_code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id(), error_code);
  WantFlush();
}

void H2Session::ResumeData(H2Stream& stream) { nghttp2_session_resume_data(session_, stream.id()); }

bool H2Session::HoldRequestBytes(std::size_t before, std::size_t now) {
  held_request_bytes_ = held_request_bytes_ - before + now;
  return now <= before || held_request_bytes_ <= context().options.connection_request_bytes_max;
}

void H2Session::OnPing(bool ack) {
  if (ack) {
    if (draining_ && !drained_) OnDrainTimer();
    return;
  }
  if (!ping_policy_.OnPing(loop().now(), streams_.size()) || expelled_) return;
  expelled_ = true;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_ENHANCE_YOUR_CALM, Bytes(kTooManyPings), kTooManyPings.size());
}

void H2Session::OnKeepalive() {
  const ServerOptions& limits = context().options;
  const net::Loop::Time now = loop().now();
  if (ping_under_way_ && last_read_ <= ping_sent_) {
    connection_.Close();
    return;
  }
  ping_under_way_ = now - last_read_ >= limits.ping_interval;
  if (ping_under_way_) {
    ping_sent_ = now;
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
    WantFlush();
    keepalive_timer_.Arm(now + limits.ping_timeout);
  } else {
    keepalive_timer_.Arm(last_read_ + limits.ping_interval);
  }
}

// Two steps: first a GOAWAY that still lets requests on their way in, and a ping; when its answer
// is here, the client knows, and the second names the last request that will be answered.
void H2Session::Drain() {
  draining_ = true;
  SayGoodbye(kLastStreamIdMax);
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  drain_timer_.Arm(loop().now() + std::chrono::seconds(1));
}

void H2Session::OnDrainTimer() {
  drain_timer_.Disarm();
  drained_ = true;
  SayGoodbye(nghttp2_session_get_last_proc_stream_id(session_));
}

void H2Session::SayGoodbye(std::int32_t last_stream_id) {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last_stream_id, NGHTTP2_NO_ERROR,
                        Bytes(kGracefulStop), kGracefulStop.size());
  WantFlush();
}

void H2Session::OnClosed() {
  head_timer_.Disarm();
  keepalive_timer_.Disarm();
  drain_timer_.Disarm();
  auto streams = std::move(streams_);
  streams_.clear();
  for (const auto& [id, stream] : streams) stream->Close();
}

}  // namespace etcd::transport
