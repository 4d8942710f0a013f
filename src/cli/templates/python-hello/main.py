def hello(request, context):
    """Answers with a dict, which becomes JSON; text, bytes and (body, status, headers) work as well."""
    name = request.args.get("name", "world")
    print(f"saying hello to {name}")
    return {"message": f"Hello, {name}!", "version": context.function["version"]}
