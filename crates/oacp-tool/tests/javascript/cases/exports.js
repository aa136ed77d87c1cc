exports.read = function (path) {};
