# frozen_string_literal: true

module Atelier
  # One request.
  class Request
    attr_reader :method, :target, :path, :query_string

    def initialize(call)
      @call = call
      @method = call.method
      @target = call.target
      path, _, @query_string = call.target.partition("?")
      @path = URI.decode_uri_component(path)
    end

    # Names in lower case; repeated ones are joined.
    def headers
      @headers ||= @call.fields.each_with_object({}) do |field, all|
        name, value = field.split(": ", 2)
        value ||= ""
        all[name] = all.key?(name) ? "#{all[name]}#{name == "cookie" ? "; " : ", "}#{value}" : value
      end
    end

    # A header, whatever the case of its name.
    def [](name) = headers[name.downcase]

    def url
      scheme = self["x-forwarded-proto"].to_s.start_with?("https") ? "https" : "http"
      "#{scheme}://#{self["host"] || "localhost"}#{@target}"
    end

    # Every value of each parameter.
    def query
      @query ||= URI.decode_www_form(@query_string).group_by(&:first).transform_values { |pairs| pairs.map(&:last) }
    end

    # The first value of each parameter.
    def params = query.transform_values(&:first)

    def cookies
      self["cookie"].to_s.split(/;\s*/).to_h { |pair| pair.split("=", 2).then { |name, value| [name, value || ""] } }
    end

    # All of the body, as bytes; waits for it.
    def body
      @body ||= each_piece.to_a.join.b
    end

    # All of the body, as UTF-8.
    def text = body.dup.force_encoding(Encoding::UTF_8)

    # The body as JSON; raises JSON::ParserError when it is none.
    def json = JSON.parse(text)

    # Fields of a form in application/x-www-form-urlencoded.
    def form = URI.decode_www_form(text).to_h

    # The body piece by piece, as it comes.
    def each_piece
      return to_enum(:each_piece) unless block_given?

      while (part = @call.read_part)
        yield part[0]
      end
    end
  end

  # An answer: the body is text, bytes, nil, something with `each`, or data that becomes JSON.
  class Response
    attr_reader :body, :status, :headers

    def initialize(body = nil, status: 200, headers: {})
      @body = body
      @status = status
      @headers = headers
    end
  end

  # What the platform knows about one call.
  class Context
    def initialize(call, spec)
      @call = call
      @spec = spec
    end

    def invocation_id = @call.id
    def traceparent = @call.header("traceparent")
    # Epoch milliseconds.
    def deadline = @call.deadline
    def remaining_ms = [0, @call.deadline - (Time.now.to_f * 1000).to_i].max
    # Why nobody waits any more ("client", "deadline", "shutdown"), or nil.
    def cancelled = @call.cancel_reason
    def config = @spec["config"]
    def secrets = @spec["secrets"]
    def function = @spec["function"].transform_keys(&:to_sym)
    def instance = @spec["instance"]
    def memory_mib = @spec["memoryMiB"]

    # Accepts the WebSocket that the request offers.
    def upgrade_websocket(protocol: nil)
      raise 'This call offers no WebSocket: it has no "upgrade: websocket".' if @call.header("upgrade") != "websocket"

      @call.socket = WebSocket.new(@call)
      @call.answer_head(protocol ? "101\nsec-websocket-protocol: #{protocol}" : "101")
      @call.socket
    end
  end

  # The code's end of a WebSocket; the platform speaks the protocol. Text is UTF-8, bytes are binary strings.
  class WebSocket
    include Enumerable
    # The code with which the other side has closed.
    attr_accessor :close_code

    def initialize(call)
      @call = call
    end

    # The next message; nil when the other side has closed.
    def receive
      data, text = @call.read_part
      text ? data.force_encoding(Encoding::UTF_8) : data
    end

    # Every message until the other side closes.
    def each
      while (message = receive)
        yield message
        return if @call.over
      end
    end

    # Sends a message of at most 1 MiB, waiting while the other side is behind.
    def send(data)
      raise ArgumentError, "A message may hold 1 MiB." if data.bytesize > Shim::PAYLOAD_BYTES_MAX
      raise "The socket is closed." if @call.over

      @call.write_message(data, data.encoding != Encoding::BINARY)
    end

    def close(code = 1000, reason = "")
      @call.finish([code].pack("n") << reason.b[0, 123])
    end
  end
end
