# frozen_string_literal: true

# The Ruby shim: speaks frames (docs/frames.md) for one instance. Ruby 3.0 or newer, its standard library alone.
#
# It finds its stream as descriptor 3, or connects where ATELIER_CONNECT says.

require "json"
require "socket"
require "stringio"
require "uri"
%w[wire output call messages answer rack load instance].each { |part| require_relative part }

# Ruby 3.1 has no such method yet.
unless URI.respond_to?(:decode_uri_component)
  def URI.decode_uri_component(text) = URI.decode_www_form_component(text.gsub("+", "%2B"))
end

secret = ENV.delete("ATELIER_SECRET")
target = ENV.delete("ATELIER_CONNECT")
ENV.delete("ATELIER_GENERIC")
channel =
  if target
    host, _, port = target.delete_prefix("tcp://").rpartition(":")
    TCPSocket.new(host.delete("[]"), port.to_i).tap { |socket| socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1) }
  else
    UNIXSocket.for_fd(3)
  end
channel.close_on_exec = true
Atelier::Shim::Instance.new(channel).serve(secret)
