const fs = require("fs");

/** Reads. @param {string} path */
function read(path) {}

module.exports = { read };
