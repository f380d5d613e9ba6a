/*
 * Copyright 2026 the Callosum authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *      https://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

package io.callosum.server;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import org.jspecify.annotations.NullMarked;

import static com.tngtech.archunit.lang.conditions.ArchConditions.be;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

/**
 * Tests for which package may use what.
 *
 * @author The Callosum authors
 */
@AnalyzeClasses(packages = "io.callosum", importOptions = DoNotIncludeTests.class)
class ArchitectureTests {

	@ArchTest
	static final ArchRule theServerDoesNotKnowItsAutoConfiguration = noClasses().that()
		.resideInAPackage("io.callosum.server")
		.should()
		.dependOnClassesThat()
		.resideInAnyPackage("io.callosum.server.autoconfigure..", "org.springframework.boot..");

	@ArchTest
	static final ArchRule theServerUsesNothingButWhatItNeeds = classes().that()
		.resideInAPackage("io.callosum.server")
		.should()
		.onlyDependOnClassesThat()
		.resideInAnyPackage("io.callosum.server", "java..", "javax..", "jdk.net..", "io.netty..", "reactor..",
				"org.springframework.core..", "org.springframework.util..", "org.springframework.context..",
				"org.jspecify..", "org.reactivestreams..", "org.apache.commons.logging..");

	@ArchTest
	static final ArchRule theAutoConfigurationDoesNotKnowTheActuator = noClasses().that()
		.resideInAPackage("io.callosum.server.autoconfigure")
		.should()
		.dependOnClassesThat()
		.resideInAnyPackage("io.callosum.server.autoconfigure.actuate..", "org.springframework.boot.actuate..",
				"io.micrometer..");

	@ArchTest
	static final ArchRule everyPackageIsNullMarked = classes().should()
		.resideInAPackage("io.callosum..")
		.andShould(be(inANullMarkedPackage()));

	private static DescribedPredicate<JavaClass> inANullMarkedPackage() {
		return DescribedPredicate.describe("in a @NullMarked package", (type) -> {
			JavaPackage javaPackage = type.getPackage();
			return javaPackage.tryGetPackageInfo().isPresent()
					&& javaPackage.getPackageInfo().isAnnotatedWith(NullMarked.class);
		});
	}

}
