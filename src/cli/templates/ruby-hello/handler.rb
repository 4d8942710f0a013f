# Answers with a Hash, which becomes JSON; text, an Enumerator and Atelier::Response.new(…) work as well.
def handler(request, context)
  name = request.params.fetch("name", "world")
  puts "saying hello to #{name}"
  { message: "Hello, #{name}!", version: context.function[:version] }
end
